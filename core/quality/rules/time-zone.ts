import type { Bars } from '../../bars/bars.ts';
import { defineRule, findingAt, PASS, type RuleResult } from '../rule.ts';
import { closeReturns, correlation } from '../statistics.ts';

const HOUR_MS = 3_600_000;
const MAX_SHIFT_HOURS = 14;
const MIN_COMMON = 200;
const MIN_MARGIN = 0.3;
const MIN_PROFILE = 0.9;

export interface ShiftFit {
  /** Hours the bars are ahead of the reference (9: they are stamped in KST, the reference in UTC). */
  readonly hours: number;
  readonly best: number;
  readonly atZero: number;
}

/** Correlation of returns for each shift; undefined where too few bars are common at shift 0. */
export function returnShift(bars: Bars, reference: Bars): ShiftFit | undefined {
  const other = new Map<number, number>();
  const returns = closeReturns(reference);
  reference.openTime.forEach((time, i) => other.set(time, returns[i]!));
  const own = closeReturns(bars);
  let best: { hours: number; r: number } | undefined;
  let atZero = Number.NaN;
  for (let hours = -MAX_SHIFT_HOURS; hours <= MAX_SHIFT_HOURS; hours++) {
    const a: number[] = [];
    const b: number[] = [];
    bars.openTime.forEach((time, i) => {
      const r = other.get(time - hours * HOUR_MS);
      if (r === undefined || Number.isNaN(r) || Number.isNaN(own[i]!)) return;
      a.push(own[i]!);
      b.push(r);
    });
    if (a.length < MIN_COMMON) continue;
    const r = correlation(a, b);
    if (hours === 0) atZero = r;
    if (!best || r > best.r) best = { hours, r };
  }
  return best && { hours: best.hours, best: best.r, atZero };
}

/** Mean ln volume by hour of the UTC day; NaN for an hour without trades. */
function hourProfile(bars: Bars): Float64Array {
  const sum = new Float64Array(24);
  const count = new Float64Array(24);
  bars.openTime.forEach((time, i) => {
    if (!(bars.volume[i]! > 0)) return;
    const hour = Math.floor(time / HOUR_MS) % 24;
    sum[hour]! += Math.log(bars.volume[i]!);
    count[hour]!++;
  });
  return sum.map((s, hour) => s / count[hour]!);
}

/** The shift (hours) that makes two daily volume profiles most alike. */
export function profileShift(bars: Bars, reference: Bars): ShiftFit | undefined {
  const own = hourProfile(bars);
  const other = hourProfile(reference);
  if (own.some(Number.isNaN) || other.some(Number.isNaN)) return undefined;
  const shifted = (hours: number): number =>
    correlation(
      own,
      other.map((_, h) => other[(h - hours + 24) % 24]!),
    );
  let hours = 0;
  for (let s = 1; s < 24; s++) if (shifted(s) > shifted(hours)) hours = s;
  return { hours: hours > 12 ? hours - 24 : hours, best: shifted(hours), atZero: shifted(0) };
}

export const timeZone = defineRule({
  name: 'time-zone',
  docs: 'Hourly stamps are UTC. A file stamped in local time runs with the market, shifted by whole hours; a reference market shows it.',
  threshold:
    `correlation of returns with a reference for shifts -14..14 h on >= ${MIN_COMMON} common bars: ` +
    `best shift not 0, margin > ${MIN_MARGIN}; without common bars: hour-of-day mean ln volume, correlation > ${MIN_PROFILE} at a shift not 0`,
  severity: 'block (returns), warn (volume profile)',
  check: ({ bars, calendar, references }) => {
    if (!calendar.alwaysOpen || bars.timeframe !== '1h') return PASS;
    for (const reference of references ?? []) {
      const result = againstReference(bars, reference);
      if (result.findings.length > 0) return result;
    }
    return PASS;
  },
});

function againstReference(bars: Bars, reference: Bars): RuleResult {
  const byReturns = returnShift(bars, reference);
  // Where only shifted bars are common there is no correlation at 0: it counts as none.
  const margin = byReturns ? byReturns.best - (byReturns.atZero || 0) : 0;
  if (byReturns && byReturns.hours !== 0 && margin > MIN_MARGIN) {
    const message = shiftMessage(byReturns, `returns of ${reference.instrument}`);
    return { findings: [findingAt(bars, [0], { rule: 'time-zone', severity: 'block', message })] };
  }
  if (byReturns) return PASS;
  const byVolume = profileShift(bars, reference);
  if (!byVolume || byVolume.hours === 0 || !(byVolume.best > MIN_PROFILE)) return PASS;
  const message = shiftMessage(byVolume, `hours of trading of ${reference.instrument}`);
  return { findings: [findingAt(bars, [0], { rule: 'time-zone', severity: 'warn', message })] };
}

function shiftMessage(fit: ShiftFit, what: string): string {
  const sign = fit.hours < 0 ? '-' : '+';
  const zone = `${sign}${String(Math.abs(fit.hours)).padStart(2, '0')}:00`;
  return (
    `the stamps run ${sign}${Math.abs(fit.hours)} h against the ${what} (correlation ` +
    `${fit.best.toFixed(3)} there, ${fit.atZero.toFixed(3)} at 0): set time.zone to "${zone}" in the profile`
  );
}
