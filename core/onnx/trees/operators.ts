import { RatchetError } from '../../errors.ts';
import { ML_DOMAIN } from '../graph.ts';
import type { NodeProto } from '../onnx-format.ts';

/** The error of a graph that is not answered here. */
export const refused = (what: string): RatchetError =>
  new RatchetError('onnx.trees', `not a graph of trees alone: ${what}`);

/** Operators that are computed here, and how many inputs each has. */
const INPUTS: Readonly<Record<string, number>> = {
  ...{ Identity: 1, Gather: 2, Cast: 1, TreeEnsemble: 1, Unsqueeze: 2, Reshape: 2, Split: 1 },
  ...{ ReduceMax: 2, Floor: 1, Pow: 2, Add: 2, Sub: 2, Mul: 2, Div: 2, Min: 2 },
};

/**
 * Throws for an operator that is another one than its name says here: of another domain, or with
 * inputs beyond these.
 */
export function checkOperator({ opType = '', domain = '', input = [] }: NodeProto): void {
  const known = Object.hasOwn(INPUTS, opType);
  if (!known || domain !== (opType === 'TreeEnsemble' ? ML_DOMAIN : '')) {
    throw refused(`operator ${domain}.${opType}`);
  }
  if (input.length !== INPUTS[opType]) throw refused(`${opType} of ${input.length} inputs`);
}
