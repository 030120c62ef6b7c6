import type { ClassLabel, LabelKind, RegressionLabel } from '../labels/index.ts';
import { surpriseOf } from '../metrics/classes/probability-metrics.ts';
import type { ClassAnswer, Direction } from '../predict/answer.ts';
import { directionOf } from '../predict/direction.ts';
import type { Closes } from './closes.ts';
import { closeAt } from './closes.ts';

/** What one horizon of an answer said, free of the scale of its prices. */
export interface HorizonForecast {
  readonly horizon: number;
  /** Open times, ms UTC: of the window's last bar, and of the bar the forecast is for. */
  readonly asOf: number;
  readonly targetTime: number;
  /** Fraction of the last close: 0.01 = 1 %. */
  readonly change: number;
  /** interval80 as fractions of the last close; null where the answer had none. */
  readonly interval: readonly [number, number] | null;
  /** 1 long, -1 short, 0 flat. */
  readonly position: number;
  /** Of labels with classes. */
  readonly classes?: ClassAnswer | undefined;
}

/** By what an outcome is measured. */
export interface OutcomeScale {
  readonly label: LabelKind;
  /** Of labels with classes: their shares in the training part; undefined where they are not known any more. */
  readonly priors?: readonly number[] | undefined;
  /** Of the training labels of this horizon; undefined where it is not known any more. */
  readonly variance: number | undefined;
  /** Fraction of the position's value that entry and exit take each. */
  readonly costOfSide: number;
}

/** What happened after a forecast. */
export interface HorizonOutcome extends HorizonForecast {
  /** Both as of the target bar: what splits and dividends between the two did is taken out. */
  readonly lastClose: number;
  readonly actualClose: number;
  readonly actualChange: number;
  /** Label units (of classes: simple returns): forecast - actual. */
  readonly error: number;
  /** Label units: "nothing changes" - actual. */
  readonly naiveError: number;
  /** error^2 / variance of the training labels, of classes -ln p(class that came); null where it is not known. */
  readonly scaledLoss: number | null;
  /** Of classes: the place of the one that came, and -ln of its share in the training part. */
  readonly actualClass: number | null;
  readonly referenceLoss: number | null;
  readonly actualDirection: Direction;
  /** The forecast's class (up, down, neutral) is what happened. */
  readonly directionHit: boolean;
  readonly covered: boolean | null;
  /** position x actual change - 2 x costs of a side; a flat position costs nothing. */
  readonly signalReturn: number;
  /** When the later known of the two bars was known, ms UTC. */
  readonly knownAt: number;
}

/**
 * The outcome of one horizon; undefined where one of its two bars is not in `closes`, or where an error cannot be
 * stated as a finite number.
 *
 * The change is adjusted(target) / adjusted(as of) - 1, both of the same delivery, as labels are: a source that
 * rescaled its whole history since the answer changes nothing. Positions are entered at the last close and left
 * at the target's close, as the label is; what an order at the next open would have got, a backtest says.
 */
export function outcomeOf(
  forecast: HorizonForecast,
  closes: Closes,
  scale: OutcomeScale,
): HorizonOutcome | undefined {
  const base = closeAt(closes, forecast.asOf);
  const target = closeAt(closes, forecast.targetTime);
  if (base === undefined || target === undefined) return undefined;
  const { adjusted, raw, knownAt } = closes;
  const actualChange = adjusted[target]! / adjusted[base]! - 1;
  const judged = judge(forecast, adjusted.subarray(base, target + 1), scale);
  if (!Number.isFinite(judged.error) || !Number.isFinite(judged.naiveError)) return undefined;
  const { interval, position } = forecast;
  return {
    ...forecast,
    lastClose: (adjusted[base]! * raw[target]!) / adjusted[target]!,
    actualClose: raw[target]!,
    actualChange,
    ...judged,
    covered: interval && actualChange >= interval[0] && actualChange <= interval[1],
    signalReturn: position * actualChange - Math.abs(position) * 2 * scale.costOfSide,
    knownAt: Math.max(knownAt[base]!, knownAt[target]!),
  };
}

type Judged = Pick<
  HorizonOutcome,
  | 'error'
  | 'naiveError'
  | 'scaledLoss'
  | 'actualClass'
  | 'referenceLoss'
  | 'actualDirection'
  | 'directionHit'
>;

/** `path`: adjusted closes from the last one before the forecast to the target's. */
function judge(forecast: HorizonForecast, path: Float64Array, scale: OutcomeScale): Judged {
  return scale.label.task === 'classification'
    ? judgeClasses(scale.label, forecast, path, scale.priors)
    : judgeValue(scale.label, forecast, path, scale.variance);
}

function judgeValue(
  label: RegressionLabel,
  forecast: HorizonForecast,
  path: Float64Array,
  variance: number | undefined,
): Judged {
  const actualChange = path.at(-1)! / path[0]! - 1;
  // Labels do not depend on the level of prices: 1 stands for the last close.
  const actual = label.value(1, 1 + actualChange);
  const error = label.value(1, 1 + forecast.change) - actual;
  const actualDirection = directionOf(actualChange);
  return {
    error,
    naiveError: label.value(1, 1) - actual,
    scaledLoss: variance === undefined || !(variance > 0) ? null : (error * error) / variance,
    actualClass: null,
    referenceLoss: null,
    actualDirection,
    directionHit: actualDirection === directionOf(forecast.change),
  };
}

const NAMES: Readonly<Record<-1 | 0 | 1, Direction>> = { [-1]: 'down', 0: 'neutral', 1: 'up' };

/** The class that came, by the threshold of the answer; without one only the expected change is judged. */
function judgeClasses(
  label: ClassLabel,
  forecast: HorizonForecast,
  path: Float64Array,
  priors: readonly number[] | undefined,
): Judged {
  const changes = path.subarray(1).map((close) => close / path[0]! - 1);
  const actualChange = changes.at(-1)!;
  const { classes } = forecast;
  const threshold = classes?.threshold ?? null;
  const actualClass = threshold === null ? null : label.outcome(changes, threshold).of;
  const came = actualClass === null ? undefined : label.classes[actualClass]!;
  const direction =
    actualClass === null ? directionOf(actualChange) : NAMES[label.directions[actualClass]!];
  return {
    error: forecast.change - actualChange,
    naiveError: -actualChange,
    scaledLoss: came === undefined ? null : surpriseOf(classes?.probabilities[came] ?? NaN),
    actualClass,
    referenceLoss: actualClass === null || !priors ? null : surpriseOf(priors[actualClass]!),
    actualDirection: direction,
    directionHit:
      came === undefined ? direction === directionOf(forecast.change) : came === classes?.class,
  };
}

/** Changes of a change that a source's rounding of its prices can make; below it nothing was revised. */
const REVISED_BEYOND = 1e-6;

/** Did the bars that an outcome rests on change more than by rounding? */
export function isRevised(
  before: Pick<HorizonOutcome, 'actualChange'>,
  now: Pick<HorizonOutcome, 'actualChange'>,
): boolean {
  return Math.abs(now.actualChange - before.actualChange) > REVISED_BEYOND;
}
