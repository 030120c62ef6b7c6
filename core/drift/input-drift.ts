/**
 * Drift of inputs and of forecasts (STATISTICS 4): distances of the newest window from the four windows before it,
 * judged by their rank among the same distances of earlier windows, each against its own reference.
 */
import { quantileOfSorted } from '../metrics/bootstrap.ts';
import { columnDistances, type ColumnDistances, type ColumnOptions } from './column-distances.ts';
import { domainClassifierAuc, thinnedRows, type DomainRows } from './domain-classifier.ts';
import { benjaminiHochberg, rankOfLast, rankSums, TOP } from './ranks.ts';
import type { ColumnDrift, InputDrift, PredictionDrift, RowsOf } from './schemas.ts';
import {
  type DriftColumns,
  layoutOf,
  MIN_WINDOWS,
  REFERENCE_WINDOWS,
  type WindowLayout,
} from './windows.ts';

/** False discovery rate of the features that are flagged one by one. */
export const FALSE_DISCOVERY_RATE = 0.1;
/** Share of features in the top 5 % from which on a window counts as drifted. */
export const DRIFTED_SHARE = 0.2;
/** Features whose own history a report keeps and draws. */
const SHOWN_HISTORIES = 12;
const FIGURES = 6;

/** Six significant digits: what JSON keeps of a distance. */
const rounded = (value: number): number => Number(value.toPrecision(FIGURES));

export interface InputDriftOptions extends ColumnOptions {
  /** Rows of a window; see `autoWindow`. */
  readonly window: number;
  /** `whenNeeded`: only where enough features stand out for its answer to matter; the verdict is the same. */
  readonly classifier?: 'always' | 'whenNeeded';
}

/**
 * Did the inputs of the newest window change more than is usual for this model?
 *
 * Per feature the ranks of its distances (psi, ks, wasserstein; chi-square for categories) are summed, and the sum's
 * rank among earlier windows is its p. `drift` only when at least 20 % of the features are in the top 5 % and the
 * domain classifier's AUC is above the 95 % quantile of its own history (two ways of seeing the same must agree, for
 * features move together). Features are flagged one by one (Benjamini-Hochberg, q = .1) only where windows suffice
 * for one of them to be flagged alone. Categorical columns are left out of the classifier: the month alone tells a
 * window. Throws `drift.window` on a window of fewer than 2 rows.
 */
export function inputDrift(columns: DriftColumns, options: InputDriftOptions): InputDrift {
  const layout = layoutOf(columns.rows, options.window);
  const history = Math.max(0, layout.windows - 1);
  const span = spanOf(columns, layout);
  if (history < MIN_WINDOWS) {
    return {
      verdict: 'notEnoughHistory',
      ...span,
      features: [],
      share: null,
      classifier: null,
      histories: [],
      correction: correctionOf(columns.names.length, history),
    };
  }
  const measured = columnDistances(columns, layout, options);
  const ranked = measured.map(columnDrift);
  const judged = ranked.filter(({ p }) => p !== null);
  const correction = correctionOf(judged.length, history);
  const discoveries = correction.applied ? flagged(judged) : new Map<string, boolean>();
  const features = ranked.map((feature) => ({
    ...feature,
    flagged: discoveries.get(feature.name) ?? null,
  }));
  const top = judged.filter(({ p }) => p! <= TOP).length;
  const share = judged.length === 0 ? 0 : top / judged.length;
  const needed = options.classifier !== 'whenNeeded' || share >= DRIFTED_SHARE;
  const classifier = needed ? classify(columns, layout, measured, options) : null;
  const drifted = share >= DRIFTED_SHARE && (classifier?.exceeded ?? false);
  return {
    verdict: drifted ? 'drift' : 'none',
    ...span,
    features,
    share: rounded(share),
    classifier,
    histories: historiesOf(measured, ranked),
    correction,
  };
}

/** One feature alone is flagged at p <= q / features, which takes features / q windows to reach. */
function correctionOf(features: number, history: number): InputDrift['correction'] {
  const windowsNeeded = Math.ceil(features / FALSE_DISCOVERY_RATE);
  const applied = features > 0 && history + 1 >= windowsNeeded;
  return { method: 'benjamini-hochberg', q: FALSE_DISCOVERY_RATE, windowsNeeded, applied };
}

/**
 * Did the forecasts of the newest window change more than is usual? One column a horizon. The ranks of all distances
 * of all horizons are summed before they are judged, so one p at 5 % speaks for all of them.
 */
export function predictionDrift(
  forecasts: DriftColumns,
  options: { readonly window: number },
): PredictionDrift {
  const layout = layoutOf(forecasts.rows, options.window);
  const span = spanOf(forecasts, layout);
  if (layout.windows - 1 < MIN_WINDOWS) {
    return { verdict: 'notEnoughHistory', ...span, p: null, horizons: [], histories: [] };
  }
  // A forecast is a number however few different ones there are.
  const measured = columnDistances(forecasts, layout, { categorical: new Set() });
  const ranked = measured.map(columnDrift);
  const all = measured.flatMap(({ distances }) => (distances ? Object.values(distances) : []));
  const p = all.length === 0 ? null : rankOfLast(rankSums(all));
  return {
    verdict: p !== null && p <= TOP ? 'drift' : 'none',
    ...span,
    p,
    horizons: ranked,
    histories: historiesOf(measured, ranked),
  };
}

function spanOf({ openTime, rows }: DriftColumns, layout: WindowLayout): RowsOf {
  const { window, windows } = layout;
  const at = (row: number): string | null =>
    row >= 0 && row < rows ? new Date(openTime[row]!).toISOString() : null;
  const complete = windows > 0;
  return {
    window: { rows: window, from: at(Math.max(0, rows - window)), to: at(rows - 1) },
    reference: {
      rows: REFERENCE_WINDOWS * window,
      from: complete ? at(rows - (REFERENCE_WINDOWS + 1) * window) : null,
      to: complete ? at(rows - window - 1) : null,
    },
    earlierWindows: Math.max(0, windows - 1),
    earlierWindowsNeeded: MIN_WINDOWS,
  };
}

function columnDrift({ name, kind, distances, missing }: ColumnDistances): ColumnDrift {
  if (!distances) return { name, kind, missing, statistics: {}, p: null, top: false };
  const statistics = Object.fromEntries(
    Object.entries(distances).map(([test, values]) => [
      test,
      { value: rounded(values.at(-1)!), p: rankOfLast(values) },
    ]),
  );
  const p = rankOfLast(rankSums(Object.values(distances)));
  return { name, kind, missing: rounded(missing), statistics, p, top: p <= TOP };
}

function flagged(judged: readonly ColumnDrift[]): Map<string, boolean> {
  const found = benjaminiHochberg(
    judged.map(({ p }) => p!),
    FALSE_DISCOVERY_RATE,
  );
  return new Map(judged.map(({ name }, i) => [name, found[i]!]));
}

/** The histories of the features that stand out most, for the report's plot. */
function historiesOf(
  measured: readonly ColumnDistances[],
  ranked: readonly ColumnDrift[],
): InputDrift['histories'] {
  const order = ranked
    .map((feature, i) => ({ feature, i }))
    .filter(({ feature }) => feature.p !== null)
    .sort((a, b) => a.feature.p! - b.feature.p!)
    .slice(0, SHOWN_HISTORIES);
  return order.map(({ i }) => {
    const { name, distances } = measured[i]!;
    // One distance a feature is enough for the eye: that which needs no bins and no spread, where there is a choice.
    const test = 'ks' in distances! ? 'ks' : Object.keys(distances!)[0]!;
    const values = distances![test]!;
    return {
      name,
      test,
      earlier: [...values.subarray(0, -1)].map(rounded),
      newest: rounded(values.at(-1)!),
    };
  });
}

/** AUC of every window against its reference; null where no column can be classified by. */
function classify(
  columns: DriftColumns,
  layout: WindowLayout,
  measured: readonly ColumnDistances[],
  options: ColumnOptions,
): InputDrift['classifier'] {
  const used = measured.flatMap(({ kind, distances }, column) =>
    kind === 'numeric' && distances ? [column] : [],
  );
  const { window, first, windows } = layout;
  const auc = new Float64Array(windows);
  for (let w = 0; w < windows; w++) {
    const from = first + w * window;
    const to = from + REFERENCE_WINDOWS * window;
    auc[w] = domainClassifierAuc(
      gathered(columns, used, options, [from, to]),
      gathered(columns, used, options, [to, to + window]),
      used.length,
    );
  }
  if (!auc.every(Number.isFinite)) return null;
  const earlier = auc.subarray(0, -1);
  const limit = quantileOfSorted(earlier.toSorted(), 1 - TOP);
  return {
    auc: rounded(auc.at(-1)!),
    limit: rounded(limit),
    exceeded: auc.at(-1)! > limit,
    columns: used.length,
    earlier: [...earlier].map(rounded),
  };
}

/** Thinned rows of some columns. */
function gathered(
  columns: DriftColumns,
  used: readonly number[],
  { close, levels }: ColumnOptions,
  [from, to]: readonly [number, number],
): DomainRows {
  const kept = thinnedRows(to - from);
  const width = columns.names.length;
  const values = new Float64Array(kept.length * used.length);
  const relative = used.map((column) => levels?.has(columns.names[column]!) ?? false);
  let at = 0;
  for (const offset of kept) {
    const row = from + offset;
    for (let u = 0; u < used.length; u++) {
      const value = columns.values[row * width + used[u]!]!;
      values[at++] = close && relative[u] ? value / close[row]! : value;
    }
  }
  return { rows: kept.length, values };
}
