-- The order in which predictions were recorded, which is not that in which they were served: a replica that is cut off from the
-- database brings its own later. Null: recorded by an earlier release.
CREATE SEQUENCE prediction_intake AS bigint;
ALTER TABLE prediction ADD COLUMN intake bigint;
ALTER TABLE prediction ALTER COLUMN intake SET DEFAULT nextval('prediction_intake');
CREATE INDEX prediction_by_intake ON prediction (model, intake) INCLUDE (at);

-- A number is taken before its row can be seen. Who inserts holds this lock (shared) from before the first number to the end of
-- the transaction: who holds it alone sees every row up to the newest number, and no row will come to be among them.
CREATE FUNCTION hold_prediction_intake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('prediction-intake', 0));
  RETURN NULL;
END $$;
CREATE TRIGGER hold_prediction_intake BEFORE INSERT ON prediction
  FOR EACH STATEMENT EXECUTE FUNCTION hold_prediction_intake();

-- Of a Schedule's report: what was recorded after the first, and up to the second. Null: what was served in its time.
ALTER TABLE parity_report ADD COLUMN recorded_after bigint, ADD COLUMN recorded_to bigint;
