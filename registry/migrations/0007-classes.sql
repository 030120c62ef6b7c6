-- What a model of classes said of a horizon and what came of it; null of quantities. `scaled_loss` is then the log loss
-- of the class that came.
ALTER TABLE outcome
  -- { "class": the answered one, "probabilities": by class, "threshold": least move that counts, or null }
  ADD COLUMN classes jsonb,
  -- Place of the class that came; null where the threshold was not known.
  ADD COLUMN actual_class smallint,
  -- Log loss of the class shares of the training part, on the same class.
  ADD COLUMN reference_loss float8;

-- Shares of the classes in the training part, by horizon and class; null of quantities.
ALTER TABLE version_scale ADD COLUMN class_priors jsonb;
