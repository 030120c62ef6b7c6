/** Forecasts every model is measured against: "nothing changes", and the drift of the training part. */
export const NAIVE = 'naive';
export const TRAINING_MEAN = 'training mean';
