-- A version judged again: whether it served itself, up to when bars were known, and that it can be stopped.
ALTER TABLE version_evaluation
  -- It served the model when it was asked for; null: asked for by an earlier release.
  ADD COLUMN serving boolean,
  -- Bars known by then are read, once the newest ones were brought; null: that did not end yet.
  ADD COLUMN known_at timestamptz,
  DROP CONSTRAINT version_evaluation_status_check,
  ADD CONSTRAINT version_evaluation_status_check
    CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  DROP CONSTRAINT version_evaluation_check1,
  ADD CONSTRAINT version_evaluation_check1
    CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL));
DROP INDEX version_evaluation_queued;
CREATE INDEX version_evaluation_open ON version_evaluation (created_at) WHERE finished_at IS NULL;
