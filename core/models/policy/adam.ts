/** Constants of Kingma and Ba (2015). */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** First and second moment of the gradient. */
export interface Moments {
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/**
 * Step number `step`, from 1, of Adam in double; changes `theta` and the moments in place.
 * Formula: theta - rate mHat / (sqrt(vHat) + epsilon), mHat = m / (1 - b1^t), vHat = v / (1 - b2^t).
 */
export function adamStep(
  theta: Float64Array,
  { m, v }: Moments,
  gradient: Float64Array,
  { step, learningRate }: { readonly step: number; readonly learningRate: number },
): void {
  const [c1, c2] = [1 - BETA1 ** step, 1 - BETA2 ** step];
  for (let i = 0; i < theta.length; i++) {
    const g = gradient[i]!;
    m[i] = BETA1 * m[i]! + (1 - BETA1) * g;
    v[i] = BETA2 * v[i]! + (1 - BETA2) * g * g;
    theta[i]! -= (learningRate * (m[i]! / c1)) / (Math.sqrt(v[i]! / c2) + EPSILON);
  }
}
