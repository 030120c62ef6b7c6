-- What endpoints answered to questions of backtests. Named by all that an answer depends on, so that it is asked once. No secrets.
CREATE TABLE asked_advice (
  -- sha256 of endpoints, prompt, facts and round.
  key text PRIMARY KEY CHECK (key ~ '^[0-9a-f]{64}$'),
  -- Version of the prompt; the prompt is a pure function of it and the facts.
  prompt text NOT NULL,
  facts jsonb NOT NULL,
  -- As in position_advice.
  exchanges jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
