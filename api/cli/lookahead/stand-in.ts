import type { Bars } from '../../../core/bars/bars.ts';
import { barCount, takeBars } from '../../../core/bars/index.ts';
import type { Calendar } from '../../../core/calendar/calendar.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { simulateBars } from '../../../core/sources/simulate.ts';
import { simulatedParams } from '../../../core/sources/simulated.ts';
import type { ModelColumns } from '../../../core/strategies/index.ts';

/** Share of the bars of a market that never closes which are missing, as they are at exchanges. */
const MISSING = 0.01;
const START = '2000-01-03';

/** Seeded answers of a model: most are answers, some abstentions, some failures, singly and in runs. */
export function standInModel(rows: number, seed: number): ModelColumns {
  const uniform = seededUniform(seed);
  const score = new Float64Array(rows);
  const abstained = new Uint8Array(rows);
  const failed = new Uint8Array(rows);
  let mood = 0;
  let silent = 0;
  let down = 0;
  for (let t = 0; t < rows; t++) {
    mood = 0.9 * mood + 0.6 * (uniform() - 0.5);
    score[t] = Math.max(-1, Math.min(1, mood));
    silent = silent > 0 ? silent - 1 : uniform() < 0.02 ? Math.floor(uniform() * 30) : 0;
    down = down > 0 ? down - 1 : uniform() < 0.01 ? Math.floor(uniform() * 40) : 0;
    if (silent > 0) abstained[t] = 1;
    if (down > 0) {
      failed[t] = 1;
      score[t] = NaN;
    }
  }
  const probabilityUp = score.map((s) => (1 + s) / 2);
  return { score, probabilityUp, change: score.map((s) => 0.02 * s), abstained, failed };
}

export interface SeededBarsRequest {
  readonly timeframe: Bars['timeframe'];
  readonly calendar: Calendar;
  readonly count: number;
  readonly seed: number;
}

/** `count` simulated bars from 2000 on (`simulateBars`); in a market that never closes some are missing. */
export function seededBars({ timeframe, calendar, count, seed }: SeededBarsRequest): Bars {
  const params = simulatedParams.parse({ seed, calendar: calendar.name, start: START });
  const spare = calendar.alwaysOpen ? Math.ceil(count * MISSING * 2) + 64 : 0;
  const first = calendar.between(Date.parse(START), Date.parse(START) + 30 * 86_400_000, timeframe);
  const to = calendar.addBars(first[0]!, count + spare, timeframe);
  const all = simulateBars(params, `SIM-${seed}`, timeframe, to);
  if (!calendar.alwaysOpen) return all;
  const uniform = seededUniform(seed);
  const kept = Array.from({ length: barCount(all) }, (_, row) => row).filter(
    () => uniform() >= MISSING,
  );
  return takeBars(all, kept.slice(0, count));
}

/** The bars with a seeded column for each name that they lack: a level that moves now and then, with gaps. */
export function withStandIns(bars: Bars, names: readonly string[], seed: number): Bars {
  const lacking = names.filter((name) => bars.exogenous?.[name] === undefined);
  if (lacking.length === 0) return bars;
  const columns = lacking.map((name, i): [string, Float64Array] => {
    const uniform = seededUniform(seed + 1 + i);
    let level = 100;
    const values = Float64Array.from({ length: barCount(bars) }, () => {
      if (uniform() < 0.3) level += uniform() - 0.5;
      return uniform() < 0.02 ? NaN : level;
    });
    return [name, values];
  });
  return { ...bars, exogenous: { ...bars.exogenous, ...Object.fromEntries(columns) } };
}
