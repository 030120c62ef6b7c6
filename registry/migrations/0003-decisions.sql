-- Evidence sheets: one row per decision of the gate, refusals too. `id` names the promotion it asks for.
CREATE TABLE decision (
  id text PRIMARY KEY, model text NOT NULL, version integer NOT NULL,
  champion_version integer, expected_generation integer NOT NULL, policy text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('accept', 'reject', 'continue')),
  reasons jsonb NOT NULL, evidence jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (model, version) REFERENCES model_version (model, version)
);
CREATE INDEX decision_by_model ON decision (model, created_at DESC);
