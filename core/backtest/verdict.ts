import type { SimulatedStrategy } from './simulate.ts';

const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? 'n/a' : `${(100 * share).toFixed(1)} %`;

/** The backtest in one sentence: its first strategy after costs, beside holding and beside the best of the others. */
export function backtestVerdict(results: readonly SimulatedStrategy[]): string {
  const [first, ...others] = results;
  if (!first) return 'Nothing was simulated.';
  const { name, result } = first;
  const total = result.metrics['totalReturn'] ?? 0;
  const held = result.buyAndHold['totalReturn'] ?? 0;
  const { low, high, value } = result.sharpeInterval;
  const sharpe =
    value === null
      ? 'too few days for a Sharpe ratio'
      : `Sharpe ratio ${value.toFixed(2)}${low === null || high === null ? '' : ` (95 % ${low.toFixed(2)} to ${high.toFixed(2)})`}`;
  const beside = others.map(
    (other) => `${other.name} ${percent(other.result.metrics['totalReturn'])}`,
  );
  return [
    `${name} ${total > held ? 'earned more' : 'earned no more'} than holding, after costs: ${percent(total)} against ${percent(held)}`,
    `${sharpe}`,
    ...(beside.length > 0 ? [`beside it ${beside.join(', ')}`] : []),
    ...(result.hypothetical ? ['hypothetical, for an instrument cannot be traded'] : []),
  ]
    .join('; ')
    .concat('.');
}
