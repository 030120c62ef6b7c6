import { ApiError } from './errors.ts';
import type { InputFields } from './prediction-schemas.ts';
import type { PredictRequest } from './serving/serving.ts';

/** Midnight UTC for a date, else the instant. */
const msOf = (text: string): number => Date.parse(text);

/** A date alone means the whole of that day: its end, up to now. */
const END_OF_DAY_MS = 86_400_000 - 1;
function asOfMs(text: string, now: number): number {
  const start = msOf(text);
  return text.length > 10 ? start : Math.min(start + END_OF_DAY_MS, Math.max(start, now));
}

/** What a prediction is computed from, as the body says it. `now`: ms UTC. `values`: the window's, where they were read already. */
export function inputOf(
  body: InputFields,
  now: number,
  values?: Float64Array,
): PredictRequest['input'] {
  const { instrument } = body;
  if (body.window) {
    return {
      kind: 'window',
      instrument,
      values: values ?? valuesOf(body.window),
      lastClose: body.lastClose!,
      openTime: msOf(body.openTime!),
    };
  }
  if (body.bars) {
    const rows = body.bars.map(({ openTime, value, ...row }) => ({
      ...row,
      openTime: msOf(openTime),
      ...(value === undefined ? {} : { value }),
    }));
    checkOrder(rows);
    return { kind: 'bars', instrument, rows };
  }
  const asOf = body.asOf === undefined ? {} : { asOf: asOfMs(body.asOf, now) };
  return { kind: 'instrument', instrument, ...asOf };
}

function valuesOf(window: NonNullable<InputFields['window']>): Float64Array {
  checkRows(window);
  // JSON has no NaN: a null becomes one, and is then refused by its feature's name.
  return Float64Array.from(window.flat(), (value) => value ?? Number.NaN);
}

/** The instrument meant by who names none. Throws `predict.instrument` where the model answers for several. */
export function onlyInstrumentOrThrow(model: string, instruments: readonly string[]): string {
  const [only] = instruments;
  if (only !== undefined && instruments.length === 1) return only;
  throw new ApiError(
    'unprocessable',
    'predict.instrument',
    `${model} answers for several instruments; name one of ${instruments.join(', ')}.`,
    { issues: [{ path: '/instrument', message: 'is missing' }] },
  );
}

/** Rows of different lengths could have the right size together and mean something else. */
function checkRows(rows: readonly (readonly unknown[])[]): void {
  const width = rows[0]!.length;
  const at = rows.findIndex((row) => row.length !== width);
  if (at < 0) return;
  const fault = `row 0 has ${width} numbers, row ${at} has ${rows[at]!.length}`;
  throw new ApiError('unprocessable', 'predict.bad-window', `The window is uneven: ${fault}.`, {
    issues: [{ path: `/window/${at}`, message: fault }],
  });
}

function checkOrder(
  rows: readonly { openTime: number; open: number; high: number; low: number; close: number }[],
): void {
  rows.forEach((row, i) => {
    const fault =
      i > 0 && row.openTime <= rows[i - 1]!.openTime
        ? 'openTime must increase'
        : row.high < Math.max(row.open, row.close, row.low)
          ? 'high lies below another price'
          : row.low > Math.min(row.open, row.close)
            ? 'low lies above another price'
            : undefined;
    if (fault === undefined) return;
    throw new ApiError('unprocessable', 'predict.bars', `Bar ${i}: ${fault}.`, {
      issues: [{ path: `/bars/${i}`, message: fault }],
    });
  });
}
