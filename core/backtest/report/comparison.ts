import {
  escapeHtml,
  figures,
  html,
  note,
  page,
  table,
  type Cell,
} from '../../evaluation/report/html.ts';
import type { BacktestResult } from '../result.ts';
import { differencesOf, type ComparedBacktest } from './differences.ts';
import { differenceCell, figureTable } from './figure-section.ts';
import type { NamedResult } from './input.ts';
import { knewItsPeriod } from './model-answers.ts';
import { PHONE_STYLE } from './render.ts';
import { HOLD, rebasedChart } from './result-charts.ts';
import { sharpeDifference } from './sharpe-difference.ts';
import { haveSameBars, range } from './verdict.ts';
import { closingDay, count, listText, metricText, ratio, signedRatio } from './words.ts';

/** Backtests that stand side by side, at most. */
export const COMPARED_MAX = 12;

/** Sections every comparison has, in this order, by id. */
export const COMPARISON_SECTIONS = [
  ['comparison', 'Side by side'],
  ['equity', 'Equity'],
  ['figures', 'Figures'],
  ['differences', 'What they differ in'],
  ['origin', 'Where they come from'],
] as const;

/**
 * Several stored backtests side by side, the first being what the others are compared with: one self-contained HTML
 * file, the same bytes for the same input. At most `COMPARED_MAX` are shown; how many are left out is said.
 */
export function renderComparison(title: string, all: readonly ComparedBacktest[]): string {
  const shown = all.slice(0, COMPARED_MAX);
  const left = all.length - shown.length;
  const bodies: Record<(typeof COMPARISON_SECTIONS)[number][0], readonly string[]> = {
    comparison: [
      ...againstFirst(shown),
      left > 0
        ? note(`${left} more backtests are not shown: ${COMPARED_MAX} stand here at most.`)
        : '',
    ],
    equity: equityBody(shown),
    figures: [
      figureTable(shown.map(({ name, result }) => ({ name, metrics: result.metrics }))),
      note('After costs. ↑ higher is better, ↓ lower is better.'),
      `<h3>Their ${HOLD}</h3>`,
      holdTable(shown),
    ],
    differences: differencesBody(shown),
    origin: [originTable(shown)],
  };
  return page({
    title,
    lead: [`${count(all.length)} backtests`],
    verdict: comparisonVerdict(shown),
    good: false,
    sections: COMPARISON_SECTIONS.map(([id, heading]) => ({
      id,
      title: heading,
      body: bodies[id],
    })),
    style: PHONE_STYLE,
  });
}

const sharpeOf = ({ metrics }: BacktestResult): number | null => metrics['sharpe'] ?? null;

/** Which of them leads, and what that is worth. */
export function comparisonVerdict(all: readonly ComparedBacktest[]): string {
  const [first, ...others] = all;
  if (first === undefined || others.length === 0) return 'There is nothing to compare.';
  const ranked = all
    .flatMap((one) => {
      const sharpe = sharpeOf(one.result);
      return sharpe === null ? [] : [{ ...one, sharpe }];
    })
    .toSorted((a, b) => b.sharpe - a.sharpe);
  const [best, second] = ranked;
  const bars = otherBarsText(first, others);
  if (best === undefined || second === undefined) {
    return `No two of them have a daily Sharpe ratio${bars}.`;
  }
  const { value, low, high } = sharpeDifference(
    best.result.curve,
    second.result.curve,
    best.result,
  );
  const told =
    value === null || low === null || high === null
      ? 'with no interval for the difference'
      : `${signedRatio(value)} above ${second.name} on their common days (95 % interval ${range(low, high, signedRatio)}: ${low > 0 ? 'clearly' : 'no clear difference'})`;
  return (
    `After costs ${best.name} has the highest daily Sharpe ratio, ${ratio(best.sharpe)}, ${told}${bars}; ` +
    `the best of ${all.length} looks better than it is.`
  );
}

function otherBarsText(first: NamedResult, others: readonly NamedResult[]): string {
  const foreign = others.filter(({ result }) => !haveSameBars(first.result, result)).length;
  if (foreign === 0) return '';
  const who = foreign === 1 ? 'one of the others stands' : `${foreign} of the others stand`;
  return `; ${who} on other bars than ${first.name}, so figures in a row do not mean the same`;
}

function againstFirst(all: readonly ComparedBacktest[]): string[] {
  const first = all[0];
  if (first === undefined) return [note('No backtest was given.')];
  const rows = all.map(({ name, result }, i): Cell[] => {
    const { time } = result.curve;
    const period = `${closingDay(time[0]!)} to ${closingDay(time.at(-1)!)}`;
    return [
      html(`<span class="name">${escapeHtml(name)}</span>`),
      html(`<span class="name">${period}</span>`),
      metricText({ format: 'percent' }, result.metrics['annualReturn']),
      metricText({ format: 'number' }, sharpeOf(result)),
      i === 0 ? '-' : differenceCell(sharpeDifference(first.result.curve, result.curve, result)),
      i === 0 ? '-' : haveSameBars(first.result, result) ? 'yes' : 'no',
      result.ruined ? 'ruined' : result.hypothetical ? 'hypothetical' : '',
    ];
  });
  const head = ['Backtest', 'Period', 'Return a year', 'Sharpe ratio', 'First less this'];
  return [
    table([...head, 'Same bars', ''], rows, { textColumns: [0, 1, 5, 6] }),
    note(
      `First less this: daily Sharpe ratio of ${first.name} less that of the row over the days that both have, by circular block bootstrap of the same days for both. ` +
        'Where 0 is inside, the two cannot be told apart.',
    ),
  ];
}

function equityBody(all: readonly ComparedBacktest[]): string[] {
  const start = Math.max(...all.map(({ result }) => result.curve.time[0]!));
  const overlapping = all.filter(({ result }) => result.curve.time.at(-1)! > start);
  if (overlapping.length === 0) return [note('They have no time in common: no curve is drawn.')];
  const left = all.length - overlapping.length;
  return [
    figures([{ name: 'equity', ...rebasedChart(overlapping, start) }]),
    note(
      `Each is 1 at its first close from ${closingDay(start)} on, where the last of them begins; what it made before is not drawn. Where it ends, its curve ends.`,
    ),
    left > 0 ? note(`${left} ended before that and have no curve.`) : '',
  ];
}

function holdTable(all: readonly ComparedBacktest[]): string {
  const rows = all.map(({ name, result: { buyAndHold } }): Cell[] => [
    name,
    metricText({ format: 'percent' }, buyAndHold['totalReturn']),
    metricText({ format: 'percent' }, buyAndHold['annualReturn']),
    metricText({ format: 'number' }, buyAndHold['sharpe']),
    metricText({ format: 'percent' }, buyAndHold['maxDrawdown']),
  ]);
  const head = ['Total return', 'Return a year', 'Sharpe ratio', 'Maximum drawdown'];
  return table(['Backtest', ...head], rows);
}

/** Rules and settings that are not the same in all, a row each. */
function differencesBody(all: readonly ComparedBacktest[]): string[] {
  const { differing, same, unrecorded } = differencesOf(all);
  const rows = differing.map(({ name, values }): Cell[] => [name, ...values]);
  const columns = all.map((_, i) => i + 1);
  const head = ['Rule or setting', ...all.map(({ name }) => name)];
  const known = unrecorded.length === 0;
  return [
    rows.length > 0
      ? table(head, rows, { textColumns: [0, ...columns] })
      : note(
          `Instruments, costs${known ? ', rules and settings' : ' and rules'} are the same in all.`,
        ),
    known
      ? ''
      : note(
          `Settings of strategies are not recorded of ${listText(unrecorded, COMPARED_MAX)}: these may differ in more.`,
        ),
    rows.length > 0
      ? note(`The other ${same.length} are the same in all: ${listText(same, same.length)}.`)
      : '',
  ];
}

function originTable(all: readonly ComparedBacktest[]): string {
  const rows = all.map(({ name, origin = {} }): Cell[] => {
    const { models = [], data = [] } = origin;
    const knowing = models.filter(knewItsPeriod).length;
    return [
      name,
      origin.codeVersion ?? 'not recorded',
      origin.specHash?.slice(0, 16) ?? 'not recorded',
      data.length === 0
        ? 'not recorded'
        : listText(
            data.map(({ hash }) => hash.slice(0, 16)),
            3,
          ),
      models.length === 0 ? 'none' : count(models.length),
      models.length === 0 ? '-' : knowing === 0 ? 'yes' : `no, ${knowing} did not`,
    ];
  });
  return table(
    ['Backtest', 'Code version', 'Spec', 'Data', 'Model versions', 'Knew only their past'],
    rows,
    { textColumns: [0, 1, 2, 3, 5] },
  );
}
