import { RatchetError } from '../errors.ts';
import { ensembleOf } from './ensemble.ts';
import { lightGbm } from './lightgbm.ts';
import { hybridLstmLightGbm } from './hybrid-lstm-lightgbm.ts';
import { linear } from './linear.ts';
import { logistic } from './logistic.ts';
import { lstmClassifier } from './lstm-classifier.ts';
import { lstmMultiHorizon } from './lstm-multi-horizon.ts';
import { majority } from './majority.ts';
import type { ModelDescriptor } from './model.ts';
import { naive } from './naive.ts';
import { policyGradient } from './policy-gradient.ts';
import { ridge } from './ridge.ts';
import { transformer } from './transformer.ts';
import { xgBoost } from './xgboost.ts';

/** Families that learn by themselves: what an ensemble is made of. A new one is a file beside these and one line here. */
const singles: readonly ModelDescriptor[] = [
  lstmMultiHorizon,
  lstmClassifier,
  hybridLstmLightGbm,
  transformer,
  lightGbm,
  xgBoost,
  ridge,
  linear,
  logistic,
  policyGradient,
  majority,
  naive,
];

/** All model families. */
export const modelFamilies: readonly ModelDescriptor[] = [
  ...singles,
  ensembleOf(singles, [lightGbm.name, xgBoost.name]),
];

/** The family of that name; throws `model.unknown-family` that lists the names there are. */
export function modelFamilyOrThrow(name: string): ModelDescriptor {
  const family = modelFamilies.find((f) => f.name === name);
  if (!family) {
    const names = modelFamilies.map((f) => f.name).join(', ');
    throw new RatchetError(
      'model.unknown-family',
      `no model family "${name}"; there are ${names}`,
      { details: { name } },
    );
  }
  return family;
}
