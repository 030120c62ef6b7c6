-- Which backtests wait for which experiment: several that share a fold share its training.
CREATE TABLE backtest_training (
  backtest_id text NOT NULL REFERENCES backtest (id),
  experiment_id text NOT NULL REFERENCES experiment (id),
  PRIMARY KEY (experiment_id, backtest_id)
);
