import { allocations, portfolioSchema } from '../strategies/portfolio/index.ts';
import { STRATEGY_COUNT_MAX, STRATEGY_DEPTH_MAX, strategies } from '../strategies/index.ts';
import { entry } from './docs.ts';

/** A strategy of strategies; a test parses it. */
export const EXAMPLE_STRATEGY = `kind: volatility-target
annualVolatility: 0.15
of:
  kind: hybrid
  by: vote
  members:
    - strategy: { kind: sma-cross, fast: 20, slow: 50 }
    - strategy: { kind: bollinger }
    - weight: 2
      strategy:
        kind: model-signal
        fallback: { kind: macd }`;

const INTRODUCTION = `# Strategies

Written from the catalogue by \`node --import tsx infra/write-docs.ts\`; do not edit.

A strategy says at the close of every bar which position it wants: 1 is all that may be invested, 0 nothing, -1 as much
sold short. It knows that bar and those before it, and has no opinion while it warms up. The same bars give the same
position in a backtest and in an answer, whatever history they come with: each strategy forgets what is older than its memory.

A setting of the type *strategy* takes a strategy with settings of its own, up to ${STRATEGY_DEPTH_MAX} deep and
${STRATEGY_COUNT_MAX} in number:

\`\`\`yaml
${EXAMPLE_STRATEGY}
\`\`\`

Where a model gave no answer, its \`fallback\` decides (without one: flat), and each bar of a result says who decided.
None of these strategies is a recommendation: classical rules are here to be compared with, and to fall back on.`;

const PORTFOLIO =
  'Several strategies, on one instrument or on several, share the money: each gets a weight by what it (or its instrument) ' +
  'returned up to the close at which weights are decided anew, long only. Its target is that weight times its position. ' +
  'What the limits leave over is cash. A session counts as known when the last of its markets has closed. In the spec of a ' +
  'backtest: `portfolios: { mine: { of: [trend, model], allocation: { kind: minimum-variance } } }`, by the names of its strategies.';

const READS_MODEL = ' Reads the answers of a model.';

/** Markdown of docs/strategies.md, from the catalogue. */
export function renderStrategyDocs(): string {
  const entries = strategies.map(({ name, title, docs, params, traits }) =>
    entry({ name, docs: `${title}. ${docs}${traits.readsModel ? READS_MODEL : ''}`, params }),
  );
  return [
    INTRODUCTION,
    '## Catalogue',
    ...entries,
    '## Portfolios',
    entry({ name: 'Settings', docs: PORTFOLIO, params: portfolioSchema }),
    '## Allocations',
    ...allocations.map((allocation) => entry(allocation)),
    '',
  ].join('\n\n');
}
