import { barCount } from '../bars/bars.ts';
import { stepOf, type Cuts, type Recommended } from '../signals/index.ts';
import { decide } from './decide.ts';
import { byFallback } from './decided.ts';
import type { StrategyInput, StrategySpec } from './strategy.ts';

/** Of positions: half of what may be held is a buy or a sell, as good as all of it a strong one. */
const POSITION_CUTS: Cuts = { buy: 0.25, strongBuy: 0.75 };

/** What a strategy says at the newest bar. */
export interface StrategySignal extends Pick<Recommended, 'recommendation' | 'cuts'> {
  readonly kind: string;
  /** Target position as a share of what may be invested, -1 (short) to 1 (long). */
  readonly position: number;
  /** Who of it decided, such as `regime.calm:sma-cross`. */
  readonly decidedBy: string;
  /** It stood in for a model that gave no answer. */
  readonly fallback: boolean;
}

/**
 * A strategy's position at the newest bar as a recommendation: the same bits as a backtest has at that bar, given
 * `memoryBarsOf(spec) + ANCHOR_BARS` bars before it. undefined while it has no opinion (warming up, a price missing).
 * Throws what `decide` throws.
 */
export function strategySignal(
  spec: StrategySpec,
  input: StrategyInput,
): StrategySignal | undefined {
  const last = barCount(input.bars) - 1;
  if (last < 0) return undefined;
  const decided = decide(spec, input);
  const { positions, parts, decidedBy } = decided;
  const position = positions[last]!;
  if (!Number.isFinite(position)) return undefined;
  return {
    kind: spec.kind,
    position,
    decidedBy: parts[decidedBy[last]!]!.name,
    fallback: byFallback(decided, last),
    recommendation: stepOf(position, POSITION_CUTS),
    cuts: POSITION_CUTS,
  };
}
