import { openSession } from '../core/onnx/session.impl.ts';
import { openMonteCarlo, openPackage, type Openers } from '../core/predict/index.ts';
import type { ServableVersion } from '../registry/champions.ts';
import { loadPackage } from '../registry/packages.ts';
import type { PastAnswerParts } from '../registry/past-answers.ts';
import { servedSourcesOf } from '../registry/served-bars.ts';
import type { ActivityDeps } from './deps.ts';

const OPENERS: Openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };

/** What a worker answers from as of the past: bars and packages of the registry, as serving reads them. */
export function pastPartsOf(
  deps: Pick<ActivityDeps, 'db' | 'artifacts' | 'datasets' | 'trustedKeys'>,
): PastAnswerParts {
  const { db, artifacts, datasets, trustedKeys } = deps;
  return {
    db,
    sourcesOf: ({ sources }, instrument, timeframe) =>
      servedSourcesOf(db, datasets, { instrument, timeframe, sources }),
    open: async ({ model, version, packageDigest }: ServableVersion) => {
      const expected = { model, version, packageDigest };
      const verified = await loadPackage({ db, artifacts }, expected, trustedKeys);
      const opened = await openPackage(verified, OPENERS);
      return { opened, release: () => void opened.release().catch(() => undefined) };
    },
  };
}
