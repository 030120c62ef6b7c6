import {
  rowsByInstrument,
  trainingByInstrument,
  trainingOfFold,
  type ChampionForecast,
  type EvaluationInput,
  type NamedForecast,
  type SeedForecast,
} from '../core/evaluation/index.ts';
import { decodeFold, folded } from '../core/features/fold.ts';
import { outputsOf, type Prepared, samplesOf } from '../core/features/prepared.ts';
import { decodeBundle, type FitBundle } from '../core/models/bundle.ts';
import { memberNames, packagedMembers } from '../core/packages/members.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { EvaluateInput, FitResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows } from './forecast-rows.ts';

/** A fold with what was fitted on it. */
export interface FoldRun {
  /** As the fits saw it. */
  readonly prepared: Prepared;
  readonly fits: readonly FitResult[];
  readonly baselines: readonly FitResult[];
}

interface Run {
  readonly artifacts: ActivityDeps['artifacts'];
  readonly heartbeat: () => void;
}

/** The folds in order of their test parts; the newest, which is the prepared data itself, is the last. */
export async function foldRuns(
  { artifacts, heartbeat }: Run,
  { folds, fits, baselines }: EvaluateInput,
  prepared: Prepared,
): Promise<readonly FoldRun[]> {
  const older: FoldRun[] = [];
  for (const fold of folds ?? []) {
    const rows = decodeFold(await artifacts.get(fold.rows));
    older.push({ ...fold, prepared: folded(prepared, rows) });
    heartbeat();
  }
  return [...older, { prepared, fits, baselines }];
}

/** What each seed and baseline says of the test rows of all folds, each row by the fit that had not seen it. */
export async function forecastsOf(
  run: Run,
  folds: readonly FoldRun[],
): Promise<{
  seeds: SeedForecast[];
  baselines: NamedForecast[];
  members: EvaluationInput['members'];
}> {
  const newest = folds.at(-1)!;
  let members: EvaluationInput['members'];
  const seeds: SeedForecast[] = [];
  for (const fit of newest.fits) {
    const { bundle, predictions } = await joined(run, folds, (fold) =>
      fold.fits.find(({ seed }) => seed === fit.seed),
    );
    const made = packagedMembers(bundle.summary);
    members = made && memberNames(made);
    seeds.push({
      seed: fit.seed,
      bestValidLoss: fit.bestValidLoss,
      bestEpoch: fit.bestEpoch,
      epochsRun: fit.epochsRun,
      weightsDigest: fit.weightsDigest,
      history: bundle.summary.history,
      importance: bundle.summary.importance,
      predictions,
    });
  }
  const baselines: NamedForecast[] = [];
  for (const { family } of newest.baselines) {
    const { predictions } = await joined(run, folds, (fold) =>
      fold.baselines.find((fit) => fit.family === family),
    );
    baselines.push({ name: family, predictions });
  }
  return { seeds, baselines, members };
}

/** Forecasts of one fit a fold, one fold after the other; `bundle` is the newest's. */
async function joined(
  run: Run,
  folds: readonly FoldRun[],
  fitOf: (fold: FoldRun) => FitResult | undefined,
): Promise<{ bundle: FitBundle; predictions: Float64Array }> {
  const parts: Float64Array[] = [];
  let bundle: FitBundle | undefined;
  for (const fold of folds) {
    const fit = fitOf(fold);
    const { length } = fold.prepared.split.test;
    // A fold without the fit leaves its rows without a forecast: no figure is made of fewer rows in silence.
    const missing = (): Float64Array =>
      new Float64Array(length * outputsOf(fold.prepared)).fill(NaN);
    const said = fit && (await forecastOf(run, fold.prepared, fit));
    parts.push(said?.predictions ?? missing());
    bundle = said?.bundle ?? bundle;
  }
  return { bundle: bundle!, predictions: concat(parts) };
}

async function forecastOf(
  { artifacts, heartbeat }: Run,
  prepared: Prepared,
  fit: FitResult,
): Promise<{ bundle: FitBundle; predictions: Float64Array }> {
  const bundle = decodeBundle(await artifacts.get(fit.fitted));
  const session = await openSession(bundle.graphs.model);
  try {
    const source = { ...prepared, featureCount: prepared.featureNames.length };
    const predictions = await forecastRows(session, source, prepared.split.test, {
      lookback: prepared.lookback,
      outputs: outputsOf(prepared),
      onChunk: heartbeat,
    });
    return { bundle, predictions };
  } finally {
    await session.release();
  }
}

function concat(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Window end rows of all test parts. */
export const testRowsOfFolds = (folds: readonly FoldRun[]): Int32Array =>
  Int32Array.from(folds.flatMap(({ prepared }) => [...prepared.split.test]));

/**
 * The champion answers on the rows of the newest fold only: older ones it may have learnt from, and the fits that
 * forecast them are not what is served.
 */
export function championOnFolds(
  champion: ChampionForecast | null,
  folds: readonly FoldRun[],
): ChampionForecast | null {
  if (champion === null || folds.length === 1) return champion;
  const older = folds.slice(0, -1).reduce((sum, { prepared }) => sum + sizeOf(prepared), 0);
  const none = new Float64Array(older).fill(NaN);
  return { ...champion, predictions: concat([none, champion.predictions]) };
}

const sizeOf = (prepared: Prepared): number => prepared.split.test.length * outputsOf(prepared);

/** The rows that everything is judged on, and what the training rows say of where each comes from. */
export function evaluatedRows(
  folds: readonly FoldRun[],
  ids: readonly string[],
): Pick<EvaluationInput, 'rows' | 'byInstrument'> {
  const { prepared } = folds.at(-1)!;
  const rows = testRowsOfFolds(folds);
  const panels = folds.map((fold) => rowsByInstrument(fold.prepared, ids));
  const instrument = joinedRows(panels.map((panel) => panel.instrument));
  const columns = {
    openTime: Float64Array.from(rows, (row) => prepared.openTime[row]!),
    labels: samplesOf(prepared, rows).labels,
    changes: changesOf(prepared, rows),
    instrument,
    regime: joinedRows(panels.map((panel) => panel.regime)),
  };
  if (folds.length === 1) {
    return { rows: columns, byInstrument: trainingByInstrument(prepared, ids) };
  }
  const fold = joinedRows(folds.map((run, at) => run.prepared.split.test.map(() => at)));
  return {
    rows: {
      ...columns,
      fold,
      training: fold.map((at, row) => at * ids.length + instrument[row]!),
    },
    byInstrument: folds.flatMap((run) => trainingOfFold(run.prepared, ids)),
  };
}

const joinedRows = (parts: readonly Int32Array[]): Int32Array =>
  Int32Array.from(parts.flatMap((part) => [...part]));

/** Simple returns of some rows, row-major [rows x horizons]; only labels with classes keep them. */
function changesOf(
  { labelChanges, horizons }: Prepared,
  rows: Int32Array,
): Float64Array | undefined {
  if (labelChanges === undefined) return undefined;
  const h = horizons.length;
  const out = new Float64Array(rows.length * h);
  rows.forEach((row, i) => out.set(labelChanges.subarray(row * h, (row + 1) * h), i * h));
  return out;
}
