-- The attempt that may write checkpoints of a fit. `holder` is the activity (workflow run and
-- activity id): equal fits of two experiments run side by side without fencing each other off.
CREATE TABLE fit_fence (
  fit_key text NOT NULL, holder text NOT NULL, attempt integer NOT NULL,
  raised_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (fit_key, holder)
);

-- Where a fit can go on. Training is deterministic, so a row serves every fit of the same key.
CREATE TABLE fit_checkpoint (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  fit_key text NOT NULL, holder text NOT NULL, attempt integer NOT NULL,
  epoch integer NOT NULL, batch integer NOT NULL,
  artifact_uri text NOT NULL, artifact_sha256 text NOT NULL, artifact_bytes bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fit_checkpoint_newest ON fit_checkpoint (fit_key, epoch DESC, batch DESC, id DESC);
