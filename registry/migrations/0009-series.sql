-- Values of series that are no bars (macro, sentiment), append-only: a revision is a row that became known later.
CREATE TABLE series_point (
  instrument text NOT NULL, timeframe text NOT NULL, source text NOT NULL, quantity text NOT NULL,
  -- What it describes: the start of a period, or an instant with a key that tells events apart.
  time timestamptz NOT NULL, key text NOT NULL DEFAULT '',
  known_at timestamptz NOT NULL, value float8 NOT NULL,
  arrived_at timestamptz NOT NULL, collection_id bigint NOT NULL REFERENCES collection (id),
  PRIMARY KEY (instrument, timeframe, source, quantity, time, key, known_at)
);
