-- Models that a backtest asks or trains, by name; of backtests of before, by the template of their group.
ALTER TABLE backtest ADD COLUMN models text[] NOT NULL DEFAULT '{}';
UPDATE backtest SET models = CASE
  WHEN spec -> 'model' -> 'walkForward' IS NOT NULL
    THEN ARRAY[name || '-folds', name || '-folds-{instrument}']
  ELSE ARRAY[spec -> 'model' ->> 'name'] END
WHERE spec -> 'model' IS NOT NULL;
CREATE INDEX backtest_of_model ON backtest USING gin (models);
