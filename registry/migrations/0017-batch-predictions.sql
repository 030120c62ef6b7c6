-- Predictions of many instants that a workflow computes: how far they are, and where the answers lie.
CREATE TABLE batch_prediction (
  -- ULID: newest is greatest.
  id text PRIMARY KEY,
  model text NOT NULL REFERENCES registered_model (name),
  -- Who answers; null: whichever version served at each time.
  version integer,
  format text NOT NULL CHECK (format IN ('ndjson', 'arrow')),
  status text NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  -- Why it failed.
  message text,
  -- Who asked, and digest of what: the same asked again by the same key is answered by this one.
  key_id text NOT NULL, content_hash text NOT NULL, request_id text,
  -- What is asked, in the artifact store.
  question_uri text NOT NULL,
  rows integer NOT NULL CHECK (rows > 0), parts integer NOT NULL CHECK (parts > 0),
  -- Of the parts that are there.
  rows_done integer NOT NULL DEFAULT 0, parts_done integer NOT NULL DEFAULT 0,
  failed_rows integer NOT NULL DEFAULT 0,
  -- The list of the parts; and of all bytes together the digest and the number.
  manifest_uri text, sha256 text, bytes bigint,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  CHECK ((status = 'completed') = (manifest_uri IS NOT NULL)),
  CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))
);
CREATE INDEX batch_prediction_of_key ON batch_prediction (key_id, content_hash, id DESC);
CREATE INDEX batch_prediction_of_model ON batch_prediction (model, id DESC);
CREATE INDEX batch_prediction_queued ON batch_prediction (created_at) WHERE status = 'queued';

-- A part that is computed, and never again.
CREATE TABLE batch_prediction_part (
  batch_prediction_id text NOT NULL REFERENCES batch_prediction (id) ON DELETE CASCADE,
  -- From 0, in order of the rows.
  n integer NOT NULL,
  uri text NOT NULL, bytes bigint NOT NULL, rows integer NOT NULL, failed_rows integer NOT NULL,
  -- Of its first row and its last.
  first_cursor text NOT NULL, last_cursor text NOT NULL,
  PRIMARY KEY (batch_prediction_id, n)
);

CREATE TABLE batch_prediction_event (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  batch_prediction_id text NOT NULL REFERENCES batch_prediction (id) ON DELETE CASCADE,
  at timestamptz NOT NULL DEFAULT now(),
  -- plan, part, done.
  kind text NOT NULL, payload jsonb NOT NULL, dedupe_key text NOT NULL,
  UNIQUE (batch_prediction_id, dedupe_key)
);
