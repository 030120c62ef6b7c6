-- A backtest: its spec, how it stands, and what came of each of its strategies.
CREATE TABLE backtest (
  -- ULID: newest is greatest.
  id text PRIMARY KEY,
  -- json and not jsonb: the first of its strategies is the one that the report is about.
  name text NOT NULL, spec json NOT NULL, spec_hash text NOT NULL,
  status text NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  -- Why it failed, or the verdict in one sentence.
  message text,
  -- By strategy, in the order of the spec: figures, and where the whole result and its trades lie.
  results jsonb,
  -- report.html, PNG charts and CSV files, by name.
  files jsonb,
  workflow_id text NOT NULL, actor text NOT NULL, request_id text,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  CHECK ((status = 'completed') = (results IS NOT NULL)),
  CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))
);
CREATE INDEX backtest_of_name ON backtest (name, id DESC);
CREATE INDEX backtest_queued ON backtest (created_at) WHERE status = 'queued';

CREATE TABLE backtest_event (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  backtest_id text NOT NULL REFERENCES backtest (id), at timestamptz NOT NULL DEFAULT now(),
  -- plan, fold, answers, result, done.
  kind text NOT NULL, payload jsonb NOT NULL, dedupe_key text NOT NULL,
  UNIQUE (backtest_id, dedupe_key)
);
