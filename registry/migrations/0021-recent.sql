-- Lists that are read newest first: time, then id.
DROP INDEX experiment_recent;
CREATE INDEX experiment_recent ON experiment (created_at DESC, id DESC);
CREATE INDEX audit_recent ON audit (at DESC, id DESC);
