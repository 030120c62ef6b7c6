/**
 * What every model has to beat, as it is called wherever it is shown: of a quantity that nothing changes (`NAIVE`), of
 * classes their shares in the training part (`MAJORITY`).
 */
export const NAIVE_BASELINE = 'the naive baseline';
/** Forecasts every model is measured against: "nothing changes", and the drift of the training part. */
export const NAIVE = 'naive';
export const TRAINING_MEAN = 'training mean';
/** Of classes: their shares in the training part, whose answer is the most frequent class. */
export const MAJORITY = 'majority';

/** A reference in a sentence; others by their own names. */
export function referenceName(
  name: string,
  { ofClasses }: { readonly ofClasses: boolean },
): string {
  if (name === (ofClasses ? MAJORITY : NAIVE)) return NAIVE_BASELINE;
  return name === TRAINING_MEAN ? `the ${TRAINING_MEAN}` : name;
}
