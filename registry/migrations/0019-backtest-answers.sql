-- Answers of one instrument in one fold, once they are whole: who answers a fold again begins behind them.
CREATE TABLE backtest_answers (
  backtest_id text NOT NULL REFERENCES backtest (id),
  fold integer NOT NULL, instrument text NOT NULL,
  -- uri, sha256, bytes, rows: core/backtest/answers.ts.
  columns jsonb NOT NULL,
  PRIMARY KEY (backtest_id, fold, instrument)
);
