-- One search of hyperparameters: of one model of an experiment.
CREATE TABLE search (
  experiment_id text NOT NULL REFERENCES experiment (id), model text NOT NULL,
  family text NOT NULL, method text NOT NULL, pruner text NOT NULL,
  -- Of the search; every trial is fitted with fit_seed.
  seed bigint NOT NULL, fit_seed bigint NOT NULL,
  trials integer NOT NULL CHECK (trials > 0), parallel integer NOT NULL CHECK (parallel > 0),
  budget_minutes float8,
  -- Where it looks (core/search/space.ts), and the training budgets of its rungs (empty: no budget is cut).
  space jsonb NOT NULL, rungs jsonb NOT NULL,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
  -- Why no further trial began.
  stopped_by text CHECK (stopped_by IN ('trials', 'exhausted', 'minutes')),
  best_trial integer, message text,
  started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  PRIMARY KEY (experiment_id, model)
);

CREATE TABLE search_trial (
  experiment_id text NOT NULL, model text NOT NULL, trial integer NOT NULL CHECK (trial >= 0),
  -- Values of the searched hyperparameters by dotted path.
  point jsonb NOT NULL,
  state text NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'completed', 'pruned', 'failed', 'cancelled')),
  -- Validation loss by finished rung, first to last; valid_loss is the last of them.
  losses jsonb NOT NULL DEFAULT '[]', valid_loss float8,
  epochs_run integer, best_epoch integer, error text,
  started_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz,
  PRIMARY KEY (experiment_id, model, trial),
  FOREIGN KEY (experiment_id, model) REFERENCES search (experiment_id, model)
);
