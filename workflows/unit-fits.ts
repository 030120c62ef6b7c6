import type {
  BuildFeaturesResult,
  FitInput,
  FitResult,
  FittedFold,
  FitUnit,
  Hyperparameters,
  OpenedExperiment,
  PackageInput,
} from '../activities/contracts.ts';
import { allOrThrow } from './all-or-throw.ts';
import { mapBounded } from './map-bounded.ts';
import type { ArtifactRef } from './messages.ts';
import { training } from './stubs.ts';

/** Fits of older folds in flight for a unit: as many more again. */
const FOLD_FITS_AT_ONCE = 24;

/** Every seed and baseline on the prepared data. */
export async function fitAll(
  opened: OpenedExperiment,
  unit: FitUnit,
  prepared: ArtifactRef,
  hyperparameters: Hyperparameters | undefined,
): Promise<{ fits: FitResult[]; baselines: FitResult[] }> {
  const fit = (family: string, seed: number, chosen?: Hyperparameters): Promise<FitResult> => {
    const input = { experimentId: opened.experimentId, unit, prepared, family, seed };
    return training.fit({ ...input, hyperparameters: chosen });
  };
  const [fits, baselines] = await Promise.all([
    Promise.all(opened.seeds.map((seed) => fit(opened.family, seed, hyperparameters))),
    // Baselines are deterministic: one seed says all.
    Promise.all(opened.baselines.map((family) => fit(family, 0))),
  ]);
  return { fits, baselines };
}

/** The same fits on each older fold; their forecasts of their own test parts are judged with the newest's. */
export async function fitFolds(
  opened: OpenedExperiment,
  unit: FitUnit,
  { prepared, folds }: BuildFeaturesResult,
  hyperparameters: Hyperparameters | undefined,
): Promise<readonly FittedFold[] | undefined> {
  // A history from before there were several folds has none in what buildFeatures gave.
  if (folds === undefined) return undefined;
  const { experimentId, family, seeds, baselines } = opened;
  const jobs = folds.flatMap((rows, at) => [
    ...seeds.map((seed) => ({ family, seed, fold: { rows, number: at + 1 }, hyperparameters })),
    ...baselines.map((name) => ({ family: name, seed: 0, fold: { rows, number: at + 1 } })),
  ]);
  const fits = allOrThrow(
    await mapBounded(jobs, FOLD_FITS_AT_ONCE, (job) =>
      training.fit({ experimentId, unit, prepared, ...job }),
    ),
  );
  const each = seeds.length + baselines.length;
  return folds.map((rows, at) => {
    const own = fits.slice(at * each, (at + 1) * each);
    return { rows, fits: own.slice(0, seeds.length), baselines: own.slice(seeds.length) };
  });
}

/** The fits of what is served once more on the refit's rows: what is packaged, while their twins were evaluated. */
export async function refitServed(
  opened: OpenedExperiment,
  input: Pick<FitInput, 'experimentId' | 'unit' | 'prepared' | 'hyperparameters'>,
  served: FitResult,
  rows: ArtifactRef,
  all: readonly FitResult[] | undefined,
): Promise<NonNullable<PackageInput['refit']>> {
  const again = ({ seed, fitted: twin }: FitResult): Promise<FitResult> =>
    training.fit({ ...input, family: opened.family, seed, refit: { rows, twin } });
  if (all === undefined) return { fit: await again(served), rows };
  const fits = await Promise.all(all.map(again));
  return { fit: fits.find(({ seed }) => seed === served.seed)!, rows, fits };
}
