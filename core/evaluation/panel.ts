import type { Prepared } from '../features/prepared.ts';
import type { InstrumentTraining } from './input.ts';
import { regimesOf } from './regimes.ts';

type Fold = Pick<Prepared, 'instruments' | 'byInstrument' | 'trainLabelMean' | 'classes'>;

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
  { instruments, byInstrument }: Pick<Prepared, 'instruments' | 'byInstrument'>,
  ids: readonly string[],
): readonly (InstrumentTraining | undefined)[] | undefined {
  return (
    byInstrument &&
    ids.map((id) => byInstrument[instruments.findIndex((own) => own.id === id)] ?? undefined)
  );
}

/** The same of one fold of several, of one instrument too: where nothing else is known, what the whole fold says. */
export function trainingOfFold(
  { instruments, byInstrument, trainLabelMean, classes }: Fold,
  ids: readonly string[],
): readonly InstrumentTraining[] {
  const all = { trainLabelMean, ...(classes && { classes }) };
  return ids.map((id) => byInstrument?.[instruments.findIndex((own) => own.id === id)] ?? all);
}
