/**
 * Skill score of a model against a named reference, on the same rows.
 * Formula: 1 - loss(model) / loss(reference). Higher is better, 0 equals the reference, negative is worse.
 * Edge cases: a reference without any loss gives NaN (nothing can be better than perfect).
 */
export function skillScore(modelLoss: number, referenceLoss: number): number {
  return referenceLoss > 0 ? 1 - modelLoss / referenceLoss : NaN;
}
