import { PackageError } from './files.ts';

/**
 * Proves that an evaluator of ours says what onnxruntime says of the same windows, bit for bit. Throws
 * `package.evaluator`.
 */
export function checkEvaluators(own: Float64Array, runtime: Float64Array): void {
  const at = runtime.findIndex((other, i) => !Object.is(own[i], other));
  if (at < 0 && own.length === runtime.length && own.length > 0) return;
  throw new PackageError(
    'package.evaluator',
    `the evaluator that the graph names says ${own[at]} where onnxruntime says ${runtime[at]}`,
    { at, values: runtime.length },
  );
}
