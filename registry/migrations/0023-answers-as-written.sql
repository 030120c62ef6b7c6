-- An answer is written once and read by few: as the text that it came as, which is stored twice as fast.
ALTER TABLE prediction ALTER COLUMN answer TYPE json USING answer::json;
