/** Forecasts every model is measured against: "nothing changes", and the drift of the training part. */
export const NAIVE = 'naive';
export const TRAINING_MEAN = 'training mean';
/** Of classes: their shares in the training part, whose answer is the most frequent class. */
export const MAJORITY = 'majority';
