import type { Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { fittedOn } from './fitted-on.ts';
import { embargoAhead, firstNewTime, type SplitSpec } from '../splits/index.ts';
import { rowsOf, type RowsPlan } from './prepare.ts';
import type { Prepared } from './prepared.ts';
import { sampleRows, stack } from './stack.ts';

/** Decision times of some rows, ms UTC, both included. */
interface Times {
  readonly from: number;
  readonly to: number;
}

/** Which rows a version learnt from, by what its evaluation and its manifest say. */
export interface LearntRows {
  /** End of the newest label that it used for anything, ms UTC. */
  readonly trainedThrough: number;
  /** What it was parted by: an embargo lies behind what it knows too. */
  readonly split: SplitSpec;
  readonly train: Times;
  readonly valid: Times;
  /** Begin of its own test part, before which nothing is judged; of weights that were fitted once more it means nothing. */
  readonly testFrom: number;
  /** Of weights that were fitted once more: so many of the newest samples up to `trainedThrough`, in place of `train`. */
  readonly refitSamples?: number | undefined;
}

/**
 * The rows of a version that exists, parted anew: `train` is what it learnt from, `test` the rows whose decision time
 * lies in `judged` and after all that it knows. Everything is chronological, then by instrument. Bars are those known
 * today: where one was revised, the rows are too. Rows of the embargo after what it knows are not judged. Label statistics are of `train`, as in a fit.
 *
 * Throws `features.notFinite`, `features.noBars`, `evaluation.noTraining` where the stored bars do not reach back,
 * `evaluation.noRows` where no row can be judged, with the newest decision time that could be.
 */
export function prepareJudged(
  plan: RowsPlan,
  bars: readonly Bars[],
  learnt: LearntRows,
  judged: Times,
): Prepared {
  const stacked = stack(plan, bars);
  const { openTime, labelEnd } = stacked;
  const rows = sampleRows(plan, stacked.instruments).toSorted(
    (a, b) => openTime[a]! - openTime[b]! || a - b,
  );
  const within = ({ from, to }: Times): Int32Array =>
    rows.filter((row) => openTime[row]! >= from && openTime[row]! <= to);
  const { trainedThrough, refitSamples } = learnt;
  const train =
    refitSamples === undefined
      ? within(learnt.train)
      : rows.filter((row) => labelEnd[row]! <= trainedThrough).slice(-refitSamples);
  if (train.length === 0) throw noTraining();
  const first = firstJudged(
    learnt,
    Float64Array.from(rows, (row) => openTime[row]!),
  );
  const test = within(judged).filter((row) => openTime[row]! >= first);
  if (test.length === 0) throw noRows(openTime, rows, learnt, judged);
  const valid = refitSamples === undefined ? within(learnt.valid) : new Int32Array(0);
  return {
    ...rowsOf(plan, stacked),
    split: { train, valid, test },
    ...fittedOn(plan, stacked, train),
    trainedThrough,
  };
}

function firstJudged(learnt: LearntRows, times: Float64Array): number {
  const { trainedThrough, split, testFrom, refitSamples } = learnt;
  const first = firstNewTime(times, trainedThrough, embargoAhead(split));
  return refitSamples === undefined ? Math.max(first, testFrom) : first;
}

const noTraining = (): RatchetError =>
  new RatchetError(
    'evaluation.noTraining',
    'none of the bars that it learnt from is stored any more, so that there is nothing to measure it against',
  );

const isoOf = (time: number): string => new Date(time).toISOString();

function noRows(
  openTime: Float64Array,
  rows: Int32Array,
  { trainedThrough, split }: LearntRows,
  { from, to }: Times,
): RatchetError {
  const newest = rows.length === 0 ? undefined : openTime[rows.at(-1)!]!;
  const known =
    newest === undefined
      ? 'there is no labelled row'
      : `the newest decision whose outcomes are all known is that of ${isoOf(newest)}`;
  const range =
    Number.isFinite(from) || Number.isFinite(to) ? ' in the range that was asked for' : '';
  const embargo = embargoAhead(split);
  const left = embargo === 0 ? '' : `, the embargo takes the ${embargo} decision times after it`;
  return new RatchetError(
    'evaluation.noRows',
    `there is nothing to judge${range}: it knows what came up to ${isoOf(trainedThrough)}${left}, and ${known}`,
    {
      details: {
        trainedThrough: isoOf(trainedThrough),
        ...(newest !== undefined && { newest: isoOf(newest) }),
      },
    },
  );
}
