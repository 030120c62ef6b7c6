import { decodePrepared, type Prepared } from '../core/features/prepared.ts';
import { decodeRefit, refitted } from '../core/features/refit.ts';
import { decodeBundle, type FitBundle } from '../core/models/bundle.ts';
import { withScalersOf } from '../core/models/seen-data.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { seedEnsemble } from '../core/models/seed-ensemble.ts';
import type { FitResult, PackageInput } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';

/** A fit with the data it was fitted on. */
export interface Fit {
  /** As the fit saw it: its training part, its scalers. */
  readonly prepared: Prepared;
  readonly bundle: FitBundle;
}

export interface ServedFit extends Fit {
  /** Where it is not the evaluated one. */
  readonly refit?: Manifest['refit'];
}

type Deps = Pick<ActivityDeps, 'artifacts'>;

/** What was judged on the test rows. */
export async function evaluatedFit({ artifacts }: Deps, input: PackageInput): Promise<Fit> {
  const prepared = decodePrepared(await artifacts.get(input.prepared));
  const bundle = await bundleOf({ artifacts }, input.fit, input.fits);
  return { prepared: inItsScalers(prepared, bundle), bundle };
}

/** A fit that went on from another one has the scalers of that one, of each instrument too. */
const inItsScalers = (prepared: Prepared, { context }: FitBundle): Prepared =>
  withScalersOf(context, prepared);

/** A fit's bundle, or the mean of several. */
async function bundleOf(
  { artifacts }: Deps,
  { seed, fitted }: FitResult,
  fits: readonly FitResult[] | undefined,
): Promise<FitBundle> {
  if (fits === undefined) return decodeBundle(await artifacts.get(fitted));
  const bundles: FitBundle[] = [];
  for (const one of fits) bundles.push(decodeBundle(await artifacts.get(one.fitted)));
  return seedEnsemble(bundles, seed);
}

/** The evaluated fit, or what it became on the refit's rows. */
export async function servedFit(
  { artifacts }: Deps,
  { refit }: PackageInput,
  evaluated: Fit,
): Promise<ServedFit> {
  if (refit === undefined) return evaluated;
  const rows = decodeRefit(await artifacts.get(refit.rows));
  const bundle = await bundleOf({ artifacts }, refit.fit, refit.fits);
  return {
    prepared: inItsScalers(refitted(evaluated.prepared, rows), bundle),
    bundle,
    refit: {
      part: rows.part,
      samples: rows.rows.length,
      newer: rows.newer,
      twin: {
        weightsDigest: evaluated.bundle.summary.weightsDigest,
        trainedThrough: knownThrough(evaluated),
      },
    },
  };
}

/** ISO: the last bar whose label was used for anything, by the fit, what it went on from, or its members. */
export const knownThrough = ({ prepared, bundle }: Fit): string =>
  new Date(
    Math.max(prepared.trainedThrough, bundle.knowledge?.knownThrough ?? -Infinity),
  ).toISOString();
