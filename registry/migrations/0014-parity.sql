-- What a replay of a prediction has to know. Null: of an earlier release, or computed from what the caller brought.
ALTER TABLE prediction
  -- The instant that it was asked for: bars known and complete by then.
  ADD COLUMN asked_as_of timestamptz,
  -- The code that answered.
  ADD COLUMN code_version text;

-- Predictions that were served, computed again and compared.
CREATE TABLE parity_report (
  -- ULID: newest is greatest.
  id text PRIMARY KEY,
  model text NOT NULL REFERENCES registered_model (name),
  -- Of a Schedule: the slot that was meant; a repeat of it finds the same report. Null: a person asked.
  slot timestamptz,
  -- Served at: the first included, the last not.
  served_from timestamptz NOT NULL, served_to timestamptz NOT NULL,
  late_ms integer NOT NULL CHECK (late_ms >= 0), samples integer NOT NULL CHECK (samples >= 0),
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed')),
  -- Why it failed.
  message text,
  -- The last prediction that was looked at; null: none.
  cursor jsonb,
  counts jsonb NOT NULL DEFAULT '{}',
  code_version text,
  actor text NOT NULL, request_id text,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  CHECK (served_from < served_to),
  CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL))
);
CREATE INDEX parity_report_of_model ON parity_report (model, id DESC);
CREATE UNIQUE INDEX parity_report_of_slot ON parity_report (model, slot) WHERE slot IS NOT NULL;
CREATE INDEX parity_report_queued ON parity_report (created_at) WHERE status = 'queued';

-- Where a replay says something else than was served.
CREATE TABLE parity_difference (
  report_id text NOT NULL REFERENCES parity_report (id) ON DELETE CASCADE,
  -- Order in which they were found.
  n integer NOT NULL,
  prediction_id text NOT NULL, served_at timestamptz NOT NULL,
  version integer NOT NULL, instrument text NOT NULL, as_of timestamptz NOT NULL,
  cause text NOT NULL, words text NOT NULL,
  -- [{ field, served, replayed }]
  fields jsonb NOT NULL,
  PRIMARY KEY (report_id, n)
);
