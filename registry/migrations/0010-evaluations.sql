-- A version judged again, on rows that came after all it knows. It decides nothing, and is not tried against anything.
CREATE TABLE version_evaluation (
  -- ULID: newest is greatest.
  id text PRIMARY KEY,
  model text NOT NULL, version integer NOT NULL,
  -- Compared with, on the same rows; null: it serves itself, or nothing does.
  champion integer,
  -- Decision times judged, both included; null: all since what it learnt.
  decided_from timestamptz, decided_to timestamptz,
  -- Outcomes known by then count.
  as_of timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'completed', 'failed')),
  -- Why it failed; of a completed one what the reader must know of its bars.
  message text,
  verdict text, metrics jsonb, evaluation_uri text, report_uri text,
  actor text NOT NULL, request_id text,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  FOREIGN KEY (model, version) REFERENCES model_version (model, version),
  CHECK ((status = 'completed') = (evaluation_uri IS NOT NULL)),
  CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL))
);
CREATE INDEX version_evaluation_of_model ON version_evaluation (model, id DESC);
CREATE INDEX version_evaluation_queued ON version_evaluation (created_at) WHERE status = 'queued';
