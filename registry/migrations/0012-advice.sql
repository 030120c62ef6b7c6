-- Advice on the size of a position: on which facts, what was answered, who decided and why. Append-only; no secrets.
CREATE TABLE position_advice (
  -- ULID: newest is greatest.
  id text PRIMARY KEY,
  -- null: facts of the caller's own.
  model text, version integer, instrument text,
  -- Open time of the bar that was asked about; null: facts of the caller's own.
  as_of timestamptz,
  -- The signal's prediction, where it was made by a model.
  prediction_id text,
  -- Version of the prompt; the prompt is a pure function of it and the facts.
  prompt text NOT NULL,
  facts jsonb NOT NULL,
  -- Questions to endpoints, in order; empty: nobody was asked.
  exchanges jsonb NOT NULL,
  -- What the rule says of the same facts.
  rule jsonb NOT NULL,
  size double precision NOT NULL CHECK (size BETWEEN 0.05 AND 1),
  decided_by text NOT NULL CHECK (decided_by IN ('models', 'rule')),
  reason text NOT NULL,
  latency_ms integer NOT NULL CHECK (latency_ms >= 0),
  key_id text NOT NULL, request_id text NOT NULL,
  created_at timestamptz NOT NULL,
  CHECK ((model IS NULL) = (as_of IS NULL))
);
CREATE INDEX position_advice_of_model ON position_advice (model, id DESC);
CREATE INDEX position_advice_of_bar ON position_advice (model, instrument, as_of);
