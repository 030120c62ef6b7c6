import { classStatistics } from '../features/class-statistics.ts';
import type { Prepared } from '../features/prepared.ts';
import { labelClasses, labelKindOrThrow } from '../labels/index.ts';
import type { InstrumentTraining } from './input.ts';
import { regimesOf } from './regimes.ts';

type PanelSource = Pick<
  Prepared,
  'instruments' | 'split' | 'labels' | 'labelChanges' | 'labelKind' | 'horizons'
>;

/** Position of each test row's instrument in the unit, and its volatility regime. */
export function rowsByInstrument(
  {
    instruments,
    split,
    close,
    timeframe,
  }: Pick<Prepared, 'instruments' | 'split' | 'close' | 'timeframe'>,
  ids: readonly string[],
): { readonly instrument: Int32Array; readonly regime: Int32Array } {
  const positions = instruments.map(({ id }) => ids.indexOf(id));
  const { train, test } = split;
  return {
    instrument: test.map(
      (row) => positions[instruments.findIndex(({ from, to }) => row >= from && row < to)]!,
    ),
    regime: regimesOf({ timeframe, close, instruments, train, test }),
  };
}

/**
 * What the training rows of each instrument say by themselves, in the order of `ids`; undefined of one instrument.
 * An instrument without training rows has none of its own: the unit's figures stand for it.
 */
export function trainingByInstrument(
  prepared: PanelSource,
  ids: readonly string[],
): (InstrumentTraining | undefined)[] | undefined {
  if (prepared.instruments.length < 2) return undefined;
  return ids.map((id) => {
    const range = prepared.instruments.find((instrument) => instrument.id === id);
    const own = prepared.split.train.filter(
      (row) => range !== undefined && row >= range.from && row < range.to,
    );
    return own.length > 0 ? trainingOf(prepared, own) : undefined;
  });
}

function trainingOf(
  { labels, labelChanges: changes, labelKind, horizons: bars }: PanelSource,
  rows: Int32Array,
): InstrumentTraining {
  const horizons = bars.length;
  const classes = labelClasses(labelKindOrThrow(labelKind));
  return {
    labelMean: bars.map((_, k) => {
      let sum = 0;
      for (const row of rows) sum += labels[row * horizons + k]!;
      return sum / rows.length;
    }),
    ...(changes && { classes: classStatistics({ labels, changes, horizons, classes }, rows) }),
  };
}
