CREATE TABLE collection (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dataset text NOT NULL, source text NOT NULL, instrument text NOT NULL, timeframe text NOT NULL,
  role text NOT NULL, status text NOT NULL, rows integer NOT NULL, new_rows integer NOT NULL,
  notes jsonb NOT NULL DEFAULT '[]', error text,
  started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL
);
CREATE INDEX collection_fresh ON collection (dataset, instrument, timeframe, finished_at DESC);

CREATE TABLE bar (
  instrument text NOT NULL, timeframe text NOT NULL, open_time timestamptz NOT NULL,
  source text NOT NULL, revision integer NOT NULL,
  open float8 NOT NULL, high float8 NOT NULL, low float8 NOT NULL, close float8 NOT NULL,
  volume float8 NOT NULL, value float8,
  arrived_at timestamptz NOT NULL, known_at timestamptz NOT NULL, known_assumed boolean NOT NULL,
  collection_id bigint NOT NULL REFERENCES collection (id),
  PRIMARY KEY (instrument, timeframe, source, open_time, revision)
);

CREATE TABLE factor (
  instrument text NOT NULL, source text NOT NULL, effective_from timestamptz NOT NULL,
  price_factor float8 NOT NULL, split_factor float8 NOT NULL, arrived_at timestamptz NOT NULL,
  PRIMARY KEY (instrument, source, effective_from, arrived_at)
);

CREATE TABLE dataset_version (
  hash text PRIMARY KEY, instrument text NOT NULL, timeframe text NOT NULL, query jsonb NOT NULL,
  rows integer NOT NULL, first_bar timestamptz NOT NULL, last_bar timestamptz NOT NULL,
  artifact_uri text NOT NULL, artifact_sha256 text NOT NULL, artifact_bytes bigint NOT NULL,
  delivered_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE upload (
  sha256 text PRIMARY KEY, file_name text NOT NULL, bytes bigint NOT NULL,
  artifact_uri text NOT NULL, actor text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE step_cache (
  key text PRIMARY KEY, step text NOT NULL, result jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE experiment (
  id text PRIMARY KEY, name text NOT NULL, model text NOT NULL, spec jsonb NOT NULL,
  spec_hash text NOT NULL, status text NOT NULL, message text, workflow_id text NOT NULL,
  actor text NOT NULL, request_id text, created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz, finished_at timestamptz
);
CREATE INDEX experiment_recent ON experiment (created_at DESC);

CREATE TABLE experiment_event (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  experiment_id text NOT NULL REFERENCES experiment (id), at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL, stage text, model text, seed integer,
  payload jsonb NOT NULL, dedupe_key text,
  UNIQUE (experiment_id, dedupe_key)
);
CREATE INDEX experiment_event_read ON experiment_event (experiment_id, seq);

CREATE TABLE registered_model (
  name text PRIMARY KEY, instruments jsonb NOT NULL, timeframe text NOT NULL, model_group text,
  description text NOT NULL DEFAULT '', template jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), retired_at timestamptz
);

CREATE TABLE model_version (
  model text NOT NULL REFERENCES registered_model (name), version integer NOT NULL,
  status text NOT NULL, reservation_key text NOT NULL, experiment_id text NOT NULL,
  family text NOT NULL, seed integer, instruments jsonb NOT NULL, spec_hash text NOT NULL,
  dataset_hash text NOT NULL, trained_through timestamptz, manifest_uri text, package_digest text,
  package_bytes bigint, evaluation_uri text, attachments jsonb NOT NULL DEFAULT '[]', metrics jsonb, beats_naive boolean, verdict text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model, version), UNIQUE (model, reservation_key)
);

-- manifest.sig of every package made: base64, 64 bytes of Ed25519 over manifest.json.
CREATE TABLE package_signature (
  package_digest text PRIMARY KEY, signature text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE model_state (
  model text PRIMARY KEY REFERENCES registered_model (name),
  generation integer NOT NULL DEFAULT 0, champion_version integer,
  changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE promotion (
  id text PRIMARY KEY, model text NOT NULL, version integer NOT NULL,
  expected_generation integer NOT NULL, status text NOT NULL, actor text NOT NULL,
  reason text NOT NULL, evidence jsonb, outcome text,
  created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz
);
-- One promotion at a time per model: the second announcer loses.
CREATE UNIQUE INDEX promotion_one_open ON promotion (model) WHERE status = 'announced';

CREATE TABLE promotion_answer (
  promotion_id text NOT NULL REFERENCES promotion (id), replica_id text NOT NULL,
  ok boolean NOT NULL, error text, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (promotion_id, replica_id)
);

CREATE TABLE champion (
  model text NOT NULL, version integer NOT NULL, generation integer NOT NULL,
  valid_from timestamptz NOT NULL, valid_to timestamptz,
  promotion_id text NOT NULL REFERENCES promotion (id), actor text NOT NULL, reason text NOT NULL,
  PRIMARY KEY (model, generation),
  FOREIGN KEY (model, version) REFERENCES model_version (model, version)
);
CREATE UNIQUE INDEX champion_current ON champion (model) WHERE valid_to IS NULL;

CREATE TABLE replica (
  id text PRIMARY KEY, address text NOT NULL, loaded jsonb NOT NULL DEFAULT '{}',
  started_at timestamptz NOT NULL, expires_at timestamptz NOT NULL
);

CREATE TABLE prediction (
  id text NOT NULL, at timestamptz NOT NULL, batch_id text NOT NULL, model text NOT NULL,
  version integer NOT NULL, generation integer NOT NULL, package_digest text NOT NULL,
  instrument text NOT NULL, as_of timestamptz NOT NULL, request_id text NOT NULL,
  key_id text NOT NULL, replica_id text NOT NULL, answer jsonb NOT NULL, duration_ms float8 NOT NULL,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX prediction_by_model ON prediction (model, at DESC);

CREATE TABLE gate_try (
  model text NOT NULL, champion_version integer NOT NULL, rows_digest text NOT NULL,
  challenger_version integer NOT NULL, k integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model, champion_version, challenger_version, rows_digest)
);

CREATE TABLE api_key (
  id text PRIMARY KEY, name text NOT NULL, hash text NOT NULL UNIQUE, scopes text[] NOT NULL,
  models text[] NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz, revoked_at timestamptz
);

CREATE TABLE idempotency_key (
  key text NOT NULL, route text NOT NULL, body_sha256 text NOT NULL, response jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (route, key)
);

CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
  actor text NOT NULL, action text NOT NULL, object text NOT NULL, before jsonb, after jsonb,
  request_id text, workflow_id text
);

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, key text NOT NULL UNIQUE,
  payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), done_at timestamptz,
  attempts integer NOT NULL DEFAULT 0, last_error text,
  next_attempt_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_open ON outbox (next_attempt_at, id) WHERE done_at IS NULL;
