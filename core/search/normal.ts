/**
 * Standard normal distribution function, relative error of its tails below 1.2e-7.
 * Reference: the Chebyshev fit of erfc in Press et al., Numerical Recipes, section 6.2.
 */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * x);
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ].reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  const tail = 0.5 * t * Math.exp(-x * x + series);
  return z > 0 ? 1 - tail : tail;
}

/** More halvings than a double has bits. */
const HALVINGS = 60;

/** z with `normalCdf(z) = p`, by bisection; p in (0, 1). Edge: beyond 8 standard deviations the bound itself. */
export function normalQuantile(p: number): number {
  let [low, high] = [-8, 8];
  for (let n = 0; n < HALVINGS; n++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
