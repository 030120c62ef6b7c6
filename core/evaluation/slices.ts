/**
 * Where a forecast is good and where it is not: the same figures over slices of the test rows, by horizon, instrument,
 * calendar year and volatility regime. A slice has fewer independent outcomes than the whole, and one of twenty
 * intervals leaves zero out by chance, so slices explain a result and never decide one.
 */
import {
  blockLength,
  drawBlocks,
  groupByTime,
  type BlockDraws,
  type Interval,
  type TimeGroups,
} from '../metrics/bootstrap.ts';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { meanOf } from '../metrics/metric.ts';
import { REGIMES } from './regimes.ts';
import { skillInterval } from './scores.ts';
import { SLICE_KINDS, type SliceKind } from './slice-kinds.ts';

/** The most slices of one kind that are reported; the smaller ones are counted only. */
export const SLICES_MAX = 24;
const SLICE_SEED = 20_260_103;

/** Losses of model and reference on the same rows. */
export interface SlicedLosses {
  readonly loss: Float64Array;
  readonly reference: Float64Array;
}

export interface SliceInput {
  /** ms UTC of each row. */
  readonly openTime: Float64Array;
  readonly instruments: readonly string[];
  /** Position of each row's instrument. */
  readonly instrument: Int32Array;
  /** Regime of each row, -1 unknown (see regimes.ts). */
  readonly regime: Int32Array;
  readonly barsPerDay: number;
  readonly horizons: readonly number[];
  /** Weighted over horizons. */
  readonly overall: SlicedLosses;
  readonly byHorizon: readonly SlicedLosses[];
  /** The main score of some rows at one horizon, by position. */
  readonly score: (
    rows: Int32Array,
    k: number,
    at: { readonly groups: TimeGroups; readonly draws: BlockDraws },
  ) => Interval;
}

export interface Slice {
  readonly by: SliceKind;
  readonly name: string;
  readonly rows: number;
  readonly timeStamps: number;
  /** Decision times over the longest horizon (of a horizon's slice: that one). */
  readonly independent: number;
  readonly loss: number;
  readonly referenceLoss: number;
  /** 1 - loss / reference's; null with fewer than 20 independent horizons, where it would only be noise. */
  readonly skill: Interval | null;
  /** At the horizon of the slice, else at the shortest, which has the most independent outcomes. null as above. */
  readonly score: Interval | null;
}

export interface Slices {
  readonly slices: readonly Slice[];
  /** Slices by kind that are too many to report. */
  readonly left: Readonly<Partial<Record<SliceKind, number>>>;
}

/** All slices; a kind with one slice only is left out, being the whole. */
export function sliceScores(input: SliceInput): Slices {
  const kinds: Record<SliceKind, readonly Part[]> = {
    horizon: input.horizons.map((horizon, k) => ({
      name: String(horizon),
      rows: Int32Array.from(input.openTime.keys()),
      horizon: k,
    })),
    instrument: partsBy(input.instrument, (at) => input.instruments[at]!),
    year: partsBy(
      Int32Array.from(input.openTime, (time) => new Date(time).getUTCFullYear()),
      String,
    ),
    regime: partsBy(input.regime, (at) => REGIMES[at]!),
  };
  const slices: Slice[] = [];
  const left: Partial<Record<SliceKind, number>> = {};
  for (const by of SLICE_KINDS) {
    const parts = kinds[by];
    if (parts.length < 2) continue;
    const largest = parts.toSorted((a, b) => b.rows.length - a.rows.length).slice(0, SLICES_MAX);
    const shown = parts.filter((part) => largest.includes(part));
    if (shown.length < parts.length) left[by] = parts.length - shown.length;
    slices.push(...shown.map((part) => scoreOf(input, by, part)));
  }
  return { slices, left };
}

interface Part {
  readonly name: string;
  readonly rows: Int32Array;
  /** Position of the horizon that is looked at alone. */
  readonly horizon?: number;
}

/** Rows by a whole number >= 0, rising. */
function partsBy(key: Int32Array, nameOf: (key: number) => string): Part[] {
  const rows = new Map<number, number[]>();
  key.forEach((value, row) => {
    if (value < 0) return;
    const own = rows.get(value);
    if (own) own.push(row);
    else rows.set(value, [row]);
  });
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([value, own]) => ({ name: nameOf(value), rows: Int32Array.from(own) }));
}

function scoreOf(input: SliceInput, by: SliceKind, { name, rows, horizon }: Part): Slice {
  const pick = (column: Float64Array): Float64Array =>
    Float64Array.from(rows, (row) => column[row]!);
  const losses = horizon === undefined ? input.overall : input.byHorizon[horizon]!;
  const [loss, reference] = [pick(losses.loss), pick(losses.reference)];
  const groups = groupByTime(pick(input.openTime));
  const bars = horizon === undefined ? Math.max(...input.horizons) : input.horizons[horizon]!;
  const independent = groups.count / bars;
  const enough = independent >= MIN_INDEPENDENT;
  const drawn = (h: number): BlockDraws =>
    drawBlocks({
      n: groups.count,
      block: blockLength(groups.count, h, input.barsPerDay),
      seed: SLICE_SEED,
    });
  const shortest = input.horizons.indexOf(Math.min(...input.horizons));
  const k = horizon ?? shortest;
  return {
    by,
    name,
    rows: rows.length,
    timeStamps: groups.count,
    independent,
    loss: meanOf(loss),
    referenceLoss: meanOf(reference),
    skill: enough ? skillInterval(loss, reference, groups, drawn(bars)) : null,
    score: enough ? input.score(rows, k, { groups, draws: drawn(input.horizons[k]!) }) : null,
  };
}
