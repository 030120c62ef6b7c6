import { calendarFor } from '../core/calendar/index.ts';
import type { EvaluationInput } from '../core/evaluation/index.ts';
import { featureSetOf } from '../core/features/index.ts';
import type { Prepared } from '../core/features/prepared.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { outlierWords } from '../core/scaling/index.ts';
import { restatesHistory } from '../core/sources/series.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { CollectResult } from './contracts.ts';
import type { NamedDataset } from './deps.ts';
import { evaluatedRows, type FoldRun } from './evaluate-forecasts.ts';

/** Whose rows they are. */
export interface EvaluatedUnit {
  readonly model: string;
  readonly instruments: readonly string[];
  readonly datasets: readonly Pick<
    CollectResult,
    'instrument' | 'datasetHash' | 'firstBar' | 'lastBar' | 'deliveredBy'
  >[];
  readonly codeVersion: string;
  /** What its columns may come from, by name. */
  readonly sources: ReadonlyMap<string, Pick<NamedDataset, 'source' | 'params'>>;
}

type UnitFacts = Omit<
  EvaluationInput,
  'quality' | 'seeds' | 'baselines' | 'members' | 'champion' | 'triesBefore' | 'refit'
>;

/** What an evaluation reads of the data and the spec; `folds` in order of their test parts. */
export function unitFacts(
  spec: ExperimentSpec,
  folds: readonly FoldRun[],
  of: EvaluatedUnit,
): UnitFacts {
  const { prepared } = folds.at(-1)!;
  const calendar = calendarFor(prepared.calendar);
  return {
    model: of.model,
    family: spec.family,
    learnsByTrading: modelFamilyOrThrow(spec.family).traits.learnsByTrading,
    codeVersion: of.codeVersion,
    instruments: of.instruments,
    timeframe: prepared.timeframe,
    barsPerDay: Math.round(calendar.barsPerYear(prepared.timeframe) / calendar.barsPerYear('1d')),
    featureSet: prepared.featureSet,
    featureHash: prepared.featureHash,
    featureCount: prepared.featureNames.length,
    featureNames: prepared.featureNames,
    lookback: prepared.lookback,
    outliers: prepared.outliers && outlierWords(prepared.outliers),
    label: labelKindOrThrow(prepared.labelKind),
    labelParams: prepared.labelParams,
    classes: prepared.classes,
    horizons: prepared.horizons,
    lossWeights: lossWeightsOf(spec),
    datasets: of.datasets.map((dataset) => ({
      instrument: dataset.instrument,
      hash: dataset.datasetHash,
      firstBar: dataset.firstBar,
      lastBar: dataset.lastBar,
      deliveredBy: dataset.deliveredBy,
    })),
    split: partsOf(prepared),
    ...(folds.length > 1 && {
      folds: folds.map(({ prepared: of }) => ({
        ...partsOf(of),
        trainedThrough: of.trainedThrough,
      })),
    }),
    serve: spec.serve,
    restated: restatedBy(spec, of.sources),
    searched: spec.tune !== undefined,
    trainedThrough: prepared.trainedThrough,
    trainLabelMean: prepared.trainLabelMean,
    trainLabelVariance: prepared.trainLabelVariance,
    ...evaluatedRows(folds, of.instruments),
    alpha: spec.promotion.alpha,
  };
}

/** Datasets of columns that features read and whose old values hold later revisions. */
function restatedBy(spec: ExperimentSpec, sources: EvaluatedUnit['sources']): readonly string[] {
  const columns = featureSetOf(spec.features).columns.flatMap(({ use }) => use.exogenous);
  const read = new Set(columns.map((name) => name.slice(0, name.lastIndexOf('.'))));
  return [...read].filter((name) => {
    const dataset = sources.get(name);
    return dataset !== undefined && restatesHistory(dataset);
  });
}

function partsOf(prepared: Prepared): EvaluationInput['split'] {
  const part = (rows: Int32Array) => ({
    samples: rows.length,
    times: new Set(Array.from(rows, (row) => prepared.openTime[row])).size,
    from: dateOf(prepared, rows[0]),
    to: dateOf(prepared, rows.at(-1)),
  });
  const { train, valid, test } = prepared.split;
  return { train: part(train), valid: part(valid), test: part(test) };
}

function dateOf(prepared: Prepared, row: number | undefined): string {
  if (row === undefined) return '-';
  const iso = new Date(prepared.openTime[row]!).toISOString();
  return prepared.timeframe === '1d' ? iso.slice(0, 10) : iso.slice(0, 16);
}
