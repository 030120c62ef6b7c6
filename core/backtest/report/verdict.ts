/** What a backtest showed, in one sentence, and what stands behind it. */
import type { Interval } from '../../metrics/bootstrap.ts';
import type { BacktestResult } from '../result.ts';
import { tooFewAnswers, unansweredText } from '../unanswered.ts';
import type { BacktestOrigin, BacktestReportInput, NamedResult } from './input.ts';
import { knewItsPeriod, NOBODY } from './model-answers.ts';
import { HOLD } from './result-charts.ts';
import { sharpeDifference } from './sharpe-difference.ts';
import { closingDay, listText, percent, ratio, signedRatio } from './words.ts';

/** The strategy against something beside it. */
export interface Against {
  readonly name: string;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Daily Sharpe ratio of the strategy less that of the other. */
  readonly difference: Interval;
  /** The same bars; else the two are not compared in the verdict. */
  readonly sameBars: boolean;
}

export interface BacktestVerdict {
  readonly text: string;
  /** Better than buying and holding beyond what chance shows, and not ruined. */
  readonly good: boolean;
  readonly against: readonly Against[];
}

/**
 * The verdict: after costs, against buy-and-hold and what stands beside it. `Better` and `worse` only where the interval
 * of the difference of daily Sharpe ratios leaves out 0.
 */
export function verdictOf({ strategy, beside, origin }: BacktestReportInput): BacktestVerdict {
  const against = [holding(strategy), ...beside.map((other) => againstOther(strategy, other))];
  const { result } = strategy;
  const { difference } = against[0]!;
  const knowing = [
    ...new Set((origin.models ?? []).filter(knewItsPeriod).map(({ version }) => version)),
  ];
  const trusted = knowing.length === 0 && !tooFewAnswers(result.answers);
  const sides = [
    returnsText(strategy),
    sharpeText(result, difference),
    ...besideText(against.slice(1)),
    ...hypotheticalText(result),
  ];
  return {
    text: `${headline(result, difference, knowing, origin)}: ${sides.join('; ')}.`,
    good: trusted && !result.ruined && isAbove(difference),
    against,
  };
}

const isAbove = ({ low }: Interval): boolean => low !== null && low > 0;
const isBelow = ({ high }: Interval): boolean => high !== null && high < 0;

function headline(
  result: BacktestResult,
  difference: Interval,
  knowing: readonly string[],
  origin: BacktestOrigin,
): string {
  if (knowing.length > 0) {
    return `Not to be trusted, as version ${listText(knowing)} had seen bars that it answered for`;
  }
  const unanswered = unansweredText(result.answers);
  if (tooFewAnswers(result.answers)) {
    return `Not to be trusted, as there was ${unanswered}${insteadText(origin)}`;
  }
  const before = unanswered ? `N${unanswered.slice(1)}. ` : '';
  return `${before}${found(result, difference)}`;
}

/** Where nobody served, rather than that a model could not answer. */
const insteadText = ({ models = [], insteadOfNobody }: BacktestOrigin): string =>
  insteadOfNobody !== undefined && models.some(({ version }) => version === NOBODY)
    ? ` (${insteadOfNobody})`
    : '';

function found({ ruined, trades }: BacktestResult, difference: Interval): string {
  if (ruined) return 'Ruined';
  if (trades.length === 0) return 'It never traded';
  if (difference.value === null) return `Not comparable with ${HOLD}`;
  if (isAbove(difference)) return `Better than ${HOLD} by the Sharpe ratio`;
  if (isBelow(difference)) return `Worse than ${HOLD} by the Sharpe ratio`;
  return `No clear difference from ${HOLD}`;
}

function holding({ result }: NamedResult): Against {
  const { time, equity, buyAndHold } = result.curve;
  const difference = sharpeDifference({ time, equity }, { time, equity: buyAndHold }, result);
  return { name: HOLD, metrics: result.buyAndHold, difference, sameBars: true };
}

const againstOther = ({ result }: NamedResult, { name, result: other }: NamedResult): Against => ({
  name,
  metrics: other.metrics,
  difference: sharpeDifference(result.curve, other.curve, result),
  sameBars: haveSameBars(result, other),
});

/** The same instruments over the same closes. */
export function haveSameBars(a: BacktestResult, b: BacktestResult): boolean {
  const of = ({ instruments, curve }: BacktestResult): string =>
    JSON.stringify([
      instruments.map(({ instrument, timeframe, bars }) => [instrument, timeframe, bars]),
      curve.time[0],
      curve.time.at(-1),
      curve.time.length,
    ]);
  return of(a) === of(b);
}

function returnsText({ name, result }: NamedResult): string {
  const { metrics, buyAndHold, curve } = result;
  const days = `from ${closingDay(curve.time[0]!)} to ${closingDay(curve.time.at(-1)!)}`;
  const own = metrics['annualReturn'] ?? null;
  const held = buyAndHold['annualReturn'] ?? null;
  if (own !== null && held !== null) {
    return `${days} ${name} made ${percent(own)} a year after costs, ${HOLD} ${percent(held)}`;
  }
  const total = (of: Readonly<Record<string, number | null>>): string =>
    percent(of['totalReturn'] ?? 0);
  return `${days} ${name} made ${total(metrics)} in all after costs, ${HOLD} ${total(buyAndHold)}`;
}

function sharpeText({ sharpeInterval, buyAndHold }: BacktestResult, difference: Interval): string {
  const { value, low, high, tooFewBlocks } = sharpeInterval;
  if (value === null) return 'its daily Sharpe ratio is not defined';
  const own = low === null || high === null ? 'no interval' : range(low, high, ratio);
  const held = buyAndHold['sharpe'] ?? null;
  const few = tooFewBlocks ? ', from too few days to rely on' : '';
  const zero =
    low === null || high === null
      ? ''
      : low > 0
        ? ', above 0'
        : high < 0
          ? ', below 0'
          : ', 0 is in it';
  const first = `its daily Sharpe ratio is ${ratio(value)} (95 % interval ${own}${zero}${few})`;
  if (held === null) return first;
  return `${first}, that of ${HOLD} ${ratio(held)}${differenceText(difference)}`;
}

export const range = (low: number, high: number, show: (value: number) => string): string =>
  `${show(low)} to ${show(high)}`;

function differenceText({ value, low, high }: Interval): string {
  if (value === null) return '';
  if (low === null || high === null) return ` (difference ${signedRatio(value)}, no interval)`;
  return ` (difference ${signedRatio(value)}, ${range(low, high, signedRatio)})`;
}

/** The best of what stands beside it; the others are in the table. */
const TOLD_BESIDE = 4;

function besideText(all: readonly Against[]): string[] {
  const others = all.filter(({ sameBars }) => sameBars);
  const left = all.length - others.length;
  const ranked = others.toSorted(
    (a, b) => (b.metrics['sharpe'] ?? -Infinity) - (a.metrics['sharpe'] ?? -Infinity),
  );
  const told = ranked.map(({ name, metrics, difference }) => {
    const sharpe = metrics['sharpe'] ?? null;
    const word = isAbove(difference)
      ? 'worse'
      : isBelow(difference)
        ? 'better'
        : 'no clear difference';
    return `${name} ${sharpe === null ? 'none' : ratio(sharpe)} (${word})`;
  });
  return [
    ...(told.length > 0 ? [`Sharpe ratios beside it: ${listText(told, TOLD_BESIDE)}`] : []),
    ...(left > 0 ? [`${left} beside it stood on other bars and say nothing here`] : []),
  ];
}

function hypotheticalText({ hypothetical, instruments }: BacktestResult): string[] {
  if (!hypothetical) return [];
  const names = instruments.filter((one) => one.hypothetical).map(({ instrument }) => instrument);
  return [
    `hypothetical, as ${listText(names)} cannot be traded ${names.length > 1 ? 'themselves' : 'itself'}`,
  ];
}
