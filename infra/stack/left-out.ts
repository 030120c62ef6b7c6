/** What this machine does without, said in words. */
import type { ProvidedParts } from './provided.ts';
import { SETUP_COMMAND } from './provided.ts';

export interface LeftOut {
  readonly name: string;
  readonly without: string;
  readonly fix: string;
}

const CONSEQUENCE: Readonly<Record<string, string>> = {
  npm: 'nothing runs',
  postgres: 'no embedded database: set RATCHET_DATABASE_URL',
  temporal: 'no experiments',
  s3: 'artifacts lie in a directory of the state folder',
  mlflow: 'no MLflow mirror',
  python: 'no training (TensorFlow comes as a Python wheel) and no MLflow mirror',
  tensorflow: 'serve-only: champions answer, nothing is trained',
  tfjs: 'serve-only: champions answer, nothing is trained',
  trees: 'no family of boosted trees is trained',
};

/** Parts that set-up could not provide, or that it was never asked for. */
export function leftOut(provided: ProvidedParts): readonly LeftOut[] {
  return Object.entries(CONSEQUENCE).flatMap(([name, consequence]) => {
    const part = provided[name];
    if (part?.state === 'ready') return [];
    const without = part?.without ?? consequence;
    return [{ name, without, fix: part?.fix ?? SETUP_COMMAND }];
  });
}
