import { PackageError } from './files.ts';

/** Of probabilities: two exponentials, each right to the last place or so, and a sum of them. */
const TOLERANCE = 1e-12;
/** Probabilities below this are compared as if they were it. */
const LEAST = 1e-6;

/**
 * Proves that an evaluator of ours says what onnxruntime says of the same windows: values bit for bit, probabilities (`classes`
 * above 0) to 1e-12. Throws `package.evaluator`.
 */
export function checkEvaluators(
  own: Float64Array,
  runtime: Float64Array,
  { classes }: { readonly classes: number },
): void {
  const same = (value: number, other: number): boolean =>
    Object.is(value, other) ||
    (classes > 0 && Math.abs(value - other) <= TOLERANCE * Math.max(Math.abs(other), LEAST));
  const at = runtime.findIndex((other, i) => !same(own[i]!, other));
  if (at < 0 && own.length === runtime.length && own.length > 0) return;
  throw new PackageError(
    'package.evaluator',
    `the evaluator that the graph names says ${own[at]} where onnxruntime says ${runtime[at]}`,
    { at, values: runtime.length },
  );
}
