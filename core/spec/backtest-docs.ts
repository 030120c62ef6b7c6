import { backtestMetrics, backtestRulesSchema } from '../backtest/index.ts';
import { askedModelSchema, backtestSpecSchema, walkForwardSchema } from './backtest-spec.ts';
import { entry } from './docs.ts';

const INTRODUCTION = `# Backtests

Written from the catalogue and the schema by \`node --import tsx infra/write-docs.ts\`; do not edit.

A backtest follows *target weights of equity*, decided at the close of each bar, over the bars of one or several
instruments on one account, all taken to be quoted in one currency. No target (NaN) means that no change is wanted: what
is held drifts. An order is for an amount of money: its units are those that give the target weight at the price of the fill.

## What happens when

1. At the close of bar t: stops inside the bar; then, with the rule \`nextClose\`, fills of what was decided at the close of
   bar t - 1; then equity is marked. What is decided at this close waits.
2. At the open of bar t + 1: longs are left in an emergency; then, with the rule \`nextOpen\`, fills of what was decided at
   the close of t. All orders of one instant see the same equity; what takes from a position comes first.

The last bar of an instrument fills nothing. Instruments with different sessions share a timeline of the instants at which
their bars open and close (a daily session opens at 14:30 UTC, when New York is open in winter and summer alike); closes
come before opens. Nothing reads a bar before its instant: cutting the bars off anywhere changes no row before.

Stop-loss and profit target are measured from the average cost of the units held: adds move it, cuts do not. A long's stop
fills at min(stop, open), a short's at max(stop, open); where stop and profit target lie inside one bar the
stop counts. A trailing stop follows the best price of the bars *before*. After a stop nothing is held until
the target changes.

The emergency score of a bar says how urgent it is to leave a *long* (docs/running.md): shorts stay, and may be entered. At
and above the threshold a long is left at the next open that has a price, and none is entered; what is wanted by then is
entered at the first fill after a bar below it. As every stop it is off unless a rule sets it (\`stops.emergencyScore: 0.8\`):
a classical strategy is what its name says, and buy-and-hold without stops is the benchmark, to the last bit.

No fill takes the sum of positions above \`maxLeverage\` times equity after costs; what prices do to it
afterwards is not undone. Equity at or below 0 at a close ends the run. Dividends and taxes are not known.

A trade goes from flat (or a change of sign) to flat; adds and cuts belong to it. Every result has the same targets
without costs, and buy-and-hold of the same instruments with the same costs at entry, beside its own figures.

## Compared with others

Over the bundled daily bars the engine gives the final equity, fills and trades of vectorbt (long or flat with
everything, target weights long and short, two instruments on one account) and the stops, profit targets and trailing stops of
backtesting.py to 1e-12, the figures of empyrical, quantstats and statsmodels to 1e-9 where they define the same
(\`test/golden/backtest.py\` makes the values and lists what they define otherwise).`;

const SPEC =
  'What `ratchet backtest FILE` and `POST /api/v1/backtests` take, as YAML or JSON; `rules` has a table of its own below, strategies and portfolios are those of docs/strategies.md, `data` is that of an experiment (docs/spec.md), and examples are examples/backtest-*.yaml.';

const ASKED = 'By name, as it served or as it is now.';
const TRAINED = 'Walk-forward: see docs/backtesting.md.';

const RULES =
  'Costs absent from the rules are those of the market. An index or a simulated instrument cannot be traded itself: such a result is called hypothetical.';

const DIRECTIONS = { higher: 'higher is better', lower: 'lower is better', none: '' } as const;

/** Markdown of docs/backtests.md. */
export function renderBacktestDocs(): string {
  const rows = backtestMetrics.map(
    ({ name, title, docs, direction, source }) =>
      `| \`${name}\` | ${title} | ${docs} | ${DIRECTIONS[direction]} | ${source} |`,
  );
  return [
    INTRODUCTION,
    '## Spec',
    entry({ name: 'Fields', docs: SPEC, params: backtestSpecSchema.omit({ rules: true }) }),
    entry({ name: '`model`: one that is there', docs: ASKED, params: askedModelSchema }),
    entry({ name: '`model`: trained on the way', docs: TRAINED, params: walkForwardSchema }),
    '## Rules',
    entry({ name: 'Settings', docs: RULES, params: backtestRulesSchema }),
    '## Figures',
    'r is the return of a row (a close of any instrument); null stands where a figure is not defined.',
    ['| name | title | formula and edge cases | | source |', '|---|---|---|---|---|', ...rows].join(
      '\n',
    ),
    '',
  ].join('\n\n');
}
