-- What the lifecycle of a model decides on, besides generation and champion. Times named as_of, *_until
-- and last_retrain_as_of are market time.
ALTER TABLE model_state
  ADD COLUMN frozen boolean NOT NULL DEFAULT false,
  ADD COLUMN frozen_reason text,
  ADD COLUMN cooldown_until timestamptz,
  ADD COLUMN last_retrain_as_of timestamptz,
  ADD COLUMN settled_as_of timestamptz;

-- `champion` and `canary` were answered; `shadow` was computed beside an answer and never returned;
-- `pinned` was answered by a version that the caller named.
ALTER TABLE prediction
  ADD COLUMN role text NOT NULL DEFAULT 'champion'
    CHECK (role IN ('champion', 'canary', 'shadow', 'pinned')),
  ADD COLUMN input text NOT NULL DEFAULT 'instrument'
    CHECK (input IN ('instrument', 'bars', 'window')),
  -- The answered prediction that this one was computed beside.
  ADD COLUMN pair_id text,
  ADD COLUMN trial_id text,
  -- Why the version could not answer; `answer` is then empty.
  ADD COLUMN error text,
  -- Market time from which its next horizon may be settled; infinity: each has an outcome or never will.
  ADD COLUMN settle_after timestamptz NOT NULL DEFAULT '-infinity',
  -- Horizons whose bar was waited for in vain.
  ADD COLUMN unknown_horizons smallint NOT NULL DEFAULT 0;
CREATE INDEX prediction_by_as_of ON prediction (model, as_of);
CREATE INDEX prediction_to_settle ON prediction (model, settle_after)
  WHERE settle_after < 'infinity' AND input <> 'window' AND error IS NULL;
CREATE INDEX prediction_unknown ON prediction (model, version) WHERE unknown_horizons > 0;
CREATE INDEX prediction_of_trial ON prediction (trial_id, as_of) WHERE trial_id IS NOT NULL;

-- What happened after a prediction. A revised bar adds a revision; the newest one counts.
CREATE TABLE outcome (
  prediction_id text NOT NULL, horizon integer NOT NULL, revision integer NOT NULL DEFAULT 0,
  model text NOT NULL, version integer NOT NULL, role text NOT NULL, trial_id text,
  input text NOT NULL, fallback boolean NOT NULL,
  instrument text NOT NULL, as_of timestamptz NOT NULL, target_time timestamptz NOT NULL,
  -- `at` of the prediction: the key of its partition.
  predicted_at timestamptz NOT NULL,
  -- Both adjusted as of the target bar, so that their ratio is free of splits and dividends.
  last_close float8 NOT NULL, actual_close float8 NOT NULL,
  -- Fractions of the last close: 0.01 = 1 %. The interval is interval80 of the answer.
  forecast_change float8 NOT NULL, actual_change float8 NOT NULL,
  interval_low float8, interval_high float8,
  -- Label units: forecast - actual, and the same of the forecast "nothing changes".
  error float8 NOT NULL, naive_error float8 NOT NULL,
  -- Squared error / variance of the training labels.
  scaled_loss float8,
  actual_direction text NOT NULL CHECK (actual_direction IN ('up', 'down', 'neutral')),
  direction_hit boolean NOT NULL,
  -- Of interval80; null where the answer had none.
  covered boolean,
  -- Of the position that the forecast's direction takes (1 long, -1 short), held for the horizon, after costs.
  position smallint NOT NULL, signal_return float8 NOT NULL,
  known_at timestamptz NOT NULL, settled_as_of timestamptz NOT NULL,
  settled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (prediction_id, horizon, revision)
);
CREATE INDEX outcome_by_version ON outcome (model, version, as_of);
-- Which outcomes a revised bar touches.
CREATE INDEX outcome_by_base ON outcome (model, instrument, as_of);
CREATE INDEX outcome_by_target ON outcome (model, instrument, target_time);
CREATE INDEX outcome_of_trial ON outcome (trial_id, as_of) WHERE trial_id IS NOT NULL;

-- What a version's losses are measured by, written when it is settled for the first time: its package may
-- be swept one day, its outcomes stay.
CREATE TABLE version_scale (
  model text NOT NULL, version integer NOT NULL,
  label_kind text NOT NULL, horizons integer[] NOT NULL,
  -- Of the training labels, label units squared.
  label_variance float8[] NOT NULL,
  -- Of each horizon in the loss that versions are compared by; they add up to 1.
  loss_weights float8[] NOT NULL,
  PRIMARY KEY (model, version)
);

CREATE TABLE trial (
  id text PRIMARY KEY, model text NOT NULL, version integer NOT NULL,
  champion_version integer, generation integer NOT NULL,
  kind text NOT NULL CHECK (kind IN ('shadow', 'canary', 'manual')),
  policy text NOT NULL,
  -- prove: only the trial's own rows can promote; guard: proved offline, the trial can only stop it.
  mode text NOT NULL CHECK (mode IN ('prove', 'guard')),
  status text NOT NULL
    CHECK (status IN ('running', 'promoted', 'rejected', 'undecided', 'aborted', 'superseded')),
  settings jsonb NOT NULL,
  started_as_of timestamptz NOT NULL, last_as_of timestamptz NOT NULL,
  -- Share of the traffic that the challenger answers; 0 outside a canary.
  share float8 NOT NULL DEFAULT 0 CHECK (share >= 0 AND share < 1),
  progress jsonb, reasons jsonb NOT NULL DEFAULT '[]',
  -- Decision of the offline gate that let it in, and that of the trial's end.
  gate_decision_id text NOT NULL, end_decision_id text,
  experiment_id text NOT NULL,
  -- What a person decided: { decision, actor, reason }.
  judgement jsonb,
  started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  FOREIGN KEY (model, version) REFERENCES model_version (model, version)
);
CREATE UNIQUE INDEX trial_one_running ON trial (model) WHERE status = 'running';
CREATE INDEX trial_by_model ON trial (model, started_at DESC);

CREATE TABLE retrain (
  id text PRIMARY KEY, model text NOT NULL, experiment_id text NOT NULL UNIQUE,
  as_of timestamptz NOT NULL, reasons jsonb NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
  outcome text, minutes float8,
  started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz
);
CREATE UNIQUE INDEX retrain_one_running ON retrain (model) WHERE status = 'running';
CREATE INDEX retrain_by_model ON retrain (model, started_at DESC);

-- The story of a model, append-only: what the public history shows.
CREATE TABLE lifecycle_event (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model text NOT NULL, at timestamptz NOT NULL DEFAULT now(), as_of timestamptz,
  kind text NOT NULL, version integer, actor text NOT NULL, words text NOT NULL,
  payload jsonb NOT NULL DEFAULT '{}', dedupe_key text NOT NULL,
  UNIQUE (model, dedupe_key)
);
CREATE INDEX lifecycle_event_read ON lifecycle_event (model, seq DESC);

-- Written at each look of the lifecycle; read by `explain` with every worker down.
CREATE TABLE explanation (
  model text PRIMARY KEY, as_of timestamptz, written_at timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL, sentences jsonb NOT NULL, details jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE drift_calibration (
  model text NOT NULL, version integer NOT NULL, package_digest text NOT NULL, key text NOT NULL,
  calibration jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model, version, key)
);

CREATE TABLE drift_report (
  id text PRIMARY KEY, model text NOT NULL, version integer NOT NULL, as_of timestamptz NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('none', 'warn', 'drift', 'notCalibrated')),
  signals jsonb NOT NULL, words jsonb NOT NULL, report jsonb NOT NULL,
  -- State of the sequential test after this report: the next one goes on from it.
  state jsonb, page_uri text, page_sha256 text, page_bytes bigint,
  -- What the lifecycle made of its signals; null: it was not asked, or has not looked yet.
  considered text CHECK (considered IN ('retrain', 'wait')),
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (model, version, as_of)
);
CREATE INDEX drift_report_by_model ON drift_report (model, as_of DESC);

CREATE TABLE alert (
  id text PRIMARY KEY, event text NOT NULL, model text, as_of timestamptz,
  payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_recent ON alert (created_at DESC);
CREATE TABLE alert_delivery (
  alert_id text NOT NULL REFERENCES alert (id), webhook text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'refused')),
  attempts integer NOT NULL DEFAULT 0, last_error text, delivered_at timestamptz,
  PRIMARY KEY (alert_id, webhook)
);

ALTER TABLE promotion
  ADD COLUMN kind text NOT NULL DEFAULT 'promote' CHECK (kind IN ('promote', 'rollback'));
