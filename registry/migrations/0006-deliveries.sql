-- Which bars of a dataset version came from which source: dataset, role, rows, ranges.
ALTER TABLE dataset_version ADD COLUMN deliveries jsonb NOT NULL DEFAULT '[]';
CREATE INDEX dataset_version_of_instrument ON dataset_version (instrument, created_at DESC);
