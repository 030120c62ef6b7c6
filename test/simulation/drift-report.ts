/** The counts of protocol P2 as a page of tables. */
import {
  alarmedShare,
  BUSY_YEARS,
  outside,
  ratesOf,
  RETRAINS_A_YEAR,
  select,
  VOLATILITY_RATIO,
} from './drift-acceptance.ts';
import {
  CHANGE_AT,
  designs,
  HISTORY,
  YEARS,
  type Cell,
  type Count,
  type Method,
} from './drift-protocol.ts';
import type { InputCount } from './drift-inputs.ts';
import { realCounts } from './drift-real.ts';
import { markets } from './markets.ts';

export interface Circumstances {
  readonly command: string;
  readonly seed: number;
  readonly pairs: number;
  readonly seconds: number;
  readonly machine: string;
}

const TITLES: Record<Method, string> = {
  product: 'The monitor (`lossVariance`, `calibrateCusum`, `stepCusum`, `decideRetrain`)',
  known: 'Planted: losses divided by the variance known at the decision only',
  raw: 'Planted: squared errors as they are',
  textbook: 'Planted: a threshold out of a book (k = .5, h = 5) instead of the calibrated one',
};
const PLANTED: readonly Method[] = ['known', 'raw', 'textbook'];

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const bold = (text: string, wrong: boolean): string => (wrong ? `**${text}**` : text);
const lineOf = (values: readonly string[]): string => `| ${values.join(' | ')} |`;
const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [lineOf(head), lineOf(head.map(() => '---')), ...rows.map(lineOf)].join('\n');
}

const cellsOf = (counts: readonly Count[]): readonly Cell[] =>
  unique(counts.map(({ cell }) => cell));

/** Order statistic of the delays, over all pairs: a pair without an alarm within the year waits longer than any. */
function delay(counts: readonly Count[], quantile: number): string {
  const pairs = counts.reduce((sum, count) => sum + count.pairs, 0);
  const sorted = counts.flatMap(({ delays }) => delays).sort((a, b) => a - b);
  const at = sorted[Math.ceil(quantile * pairs) - 1];
  return at === undefined ? '> a year' : String(at);
}

function retrainTable(counts: readonly Count[], method: Method): string {
  const rows = cellsOf(counts).flatMap((cell) =>
    [...markets.map(({ name }) => name), undefined].map((market) => {
      const mine = select(counts, { method, cell, design: 'unchanged', ...(market && { market }) });
      const rates = ratesOf(mine, YEARS);
      return [
        cell.name,
        market ?? 'all',
        String(rates.years),
        percent(rates.alarmedYears),
        rates.alarms.toFixed(3),
        rates.retrains.toFixed(3),
        bold(rates.retrainsUpper.toFixed(3), rates.retrainsUpper > RETRAINS_A_YEAR),
        bold(percent(rates.busyYears), rates.busyYears > BUSY_YEARS),
      ];
    }),
  );
  const head = ['losses', 'market', 'years', 'years with an alarm', 'alarms a year'];
  return table([...head, 'retrains a year', '95 % bound', 'years with more than one'], rows);
}

function powerTable(counts: readonly Count[]): string {
  const worse = designs.filter(({ kind }) => kind === 'worse');
  const rows = cellsOf(counts).flatMap((cell) =>
    worse.map((design) => {
      const of = (market?: string): readonly Count[] =>
        select(counts, { method: 'product', cell, design: design.name, ...(market && { market }) });
      const all = of();
      const byMarket = markets.map(({ name }) => percent(alarmedShare(of(name))));
      const found = percent(alarmedShare(all));
      return [cell.name, design.name, found, delay(all, 0.5), delay(all, 0.9), ...byMarket];
    }),
  );
  const head = ['losses', 'change', 'found in a year', 'median delay', '90 % delay'];
  return table([...head, ...markets.map(({ name }) => name)], rows);
}

function volatilityTable(counts: readonly Count[], methods: readonly Method[]): string {
  const rows = methods.flatMap((method) =>
    cellsOf(counts).map((cell) => {
      const share = (design: string, market?: string): number =>
        alarmedShare(select(counts, { method, cell, design, ...(market && { market }) }));
      const [calm, wild] = [share('unchanged'), share('volatility x2')];
      const byMarket = markets.map(
        ({ name }) =>
          `${percent(share('unchanged', name))} / ${percent(share('volatility x2', name))}`,
      );
      const ratio = bold((wild / calm).toFixed(2), wild / calm > VOLATILITY_RATIO);
      return [method, cell.name, percent(calm), percent(wild), ratio, ...byMarket];
    }),
  );
  const head = ['method', 'losses', 'unchanged', 'volatility x2', 'ratio'];
  return table([...head, ...markets.map(({ name }) => name)], rows);
}

function plantedTable(counts: readonly Count[]): string {
  const rows = PLANTED.flatMap((method) =>
    cellsOf(counts).map((cell) => {
      const rates = ratesOf(select(counts, { method, cell, design: 'unchanged' }), YEARS);
      return [
        method,
        cell.name,
        percent(rates.alarmedYears),
        bold(rates.retrainsUpper.toFixed(3), rates.retrainsUpper > RETRAINS_A_YEAR),
        bold(percent(rates.busyYears), rates.busyYears > BUSY_YEARS),
      ];
    }),
  );
  const head = ['method', 'losses', 'years with an alarm', 'retrains a year, 95 % bound'];
  return table([...head, 'years with more than one'], rows);
}

function realTable(): string {
  const rows = realCounts().map(({ instrument, horizon, years, alarms, alarmsKnown }) => [
    instrument,
    String(horizon),
    years.toFixed(1),
    String(alarms),
    (alarms / years).toFixed(2),
    String(alarmsKnown),
  ]);
  const head = ['index', 'h', 'years', 'alarms', 'alarms a year'];
  return table([...head, 'alarms, variance known at the decision only'], rows);
}

function inputTable(counts: readonly InputCount[]): string {
  const rows = counts.map((count) => [
    count.design,
    count.market,
    String(count.years),
    percent(count.drifted / count.reports),
    (count.signals / count.years).toFixed(2),
    (count.retrains / count.years).toFixed(2),
    percent(count.found / count.years),
    percent(count.shareOnly / count.reports),
  ]);
  const head = ['change', 'market', 'years', 'reports that say drift', 'asking spells a year'];
  const more = ['retrains a year', 'years that ask', 'reports by the 20 % rule alone'];
  return table([...head, ...more], rows);
}

/** The page up to the hand-written reading. */
export function pageOf(
  counts: readonly Count[],
  inputs: readonly InputCount[],
  about: Circumstances,
): string {
  const problems = outside(counts, 'product', YEARS);
  const values = about.pairs * markets.length;
  return `# False retrains and detection of drift, by simulation

Made by \`${about.command}\` (protocol P2, seed ${about.seed}, ${about.pairs} pairs a market, ${about.seconds.toFixed(0)} s on one core of
${about.machine}). The functions that are tested are the product's own.

A pair is a history of ${HISTORY.toLocaleString('en')} losses, on which the monitor is calibrated (nominal: an alarm in 10 % of unchanged years), and what
comes after: ${YEARS} unchanged years, or a change ${CHANGE_AT} values after the history and a year to find it. ${values.toLocaleString('en')} pairs a line \`all\`. Hourly
losses are watched as daily means. Markets: ${markets.map(({ name, docs }) => `*${name}*: ${docs}`).join('; ')}.
The model forecasts 2 % of the label's variance. After an alarm the retrain rule (cooldown 21 sessions, one trial at a
time, which an equal challenger occupies for 60 sessions) decides; age and cadence ask for nothing here.

## Verdict

Limits: retrains in an unchanged year at most ${RETRAINS_A_YEAR} (95 % upper bound of the mean), years with more than one at most ${percent(BUSY_YEARS)},
both in every market; alarms when volatility doubles and skill stays at most ${VOLATILITY_RATIO} times those of the unchanged stretch.

${problems.length === 0 ? 'Everything is inside its limit.' : `Outside:\n\n${problems.map((text) => `- ${text}`).join('\n')}`}

## Unchanged years

${TITLES.product}:

${retrainTable(counts, 'product')}

## A model that becomes worse

Changes are in SDs of the model's own normalised loss; a gradual one comes over 60 values. Delays are in values (sessions)
from the change to the alarm, the wait until a loss can be judged included, over all pairs. The last columns are shares found
within a year.

${powerTable(counts)}

## Volatility doubles, skill stays

Shares of pairs with an alarm within a year, unchanged / doubled (the planted monitors: every fourth pair):

${volatilityTable(counts, ['product', 'known', 'raw'])}

## Real bars

A forecast of no change on the bundled indices, calibrated on its first ${HISTORY.toLocaleString('en')} losses and watched until the end of 2018. It
cannot become worse, but markets are not stationary either, so an alarm is not simply false.

${realTable()}

## The same limits, broken monitors

${PLANTED.map((method) => `- \`${method}\`: ${TITLES[method]}`).join('\n')}

${plantedTable(counts)}

## Drift of inputs

Reports every session on windows of 60 rows, 12 features made of the returns, 40 earlier windows. *spells*: a stretch of
consecutive reports that ask for a retrain (drift in this report and in the one before); *retrains*: what the retrain rule
makes of it, the cooldown of 21 sessions and the trial of 60 included. A year in which something changed should ask.

${inputTable(inputs)}
`;
}
