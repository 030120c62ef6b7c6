-- What a reader of a backtest's figures is to be told first; null: of before, or it has not ended.
ALTER TABLE backtest ADD COLUMN warnings jsonb;
