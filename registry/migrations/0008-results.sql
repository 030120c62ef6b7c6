-- Answers that were asked for with `Prefer: respond-async`: for the key that asked, until they expire.
CREATE TABLE result (
  id text PRIMARY KEY,
  key_id text NOT NULL,
  model text NOT NULL,
  -- Who computes it, and which run of that process: another run of it has lost what is pending.
  replica_id text NOT NULL,
  incarnation text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'done', 'failed')),
  -- Of `done`: the answer as it would have been sent; of `failed`: the problem, as JSON.
  content_type text,
  body text,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CHECK ((status = 'pending') = (body IS NULL))
);
CREATE INDEX result_of_expiry ON result (expires_at);
CREATE INDEX result_pending ON result (replica_id) WHERE status = 'pending';
