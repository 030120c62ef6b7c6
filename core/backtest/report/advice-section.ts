/** Sizes that were advised: by whom, and what they brought against sizes that nobody advised. */
import { escapeHtml, facts, note, table, type Cell } from '../../evaluation/report/html.ts';
import type { Interval } from '../../metrics/bootstrap.ts';
import { curveDifference, type CurveDifference } from './curve-difference.ts';
import type { AdviceOrigin, BacktestReportInput, NamedResult } from './input.ts';
import { range } from './verdict.ts';
import { count, listText, percent, signedPercent, signedRatio } from './words.ts';

const SOURCES: Readonly<Record<AdviceOrigin['by'], string>> = {
  rule: 'the rule',
  history: 'what was advised at the time',
  endpoints: 'two language models, asked for this backtest',
};

/** By reason, in the order that they are told in. */
const REASONS: Readonly<Record<string, string>> = {
  agreed: 'by the models, which agreed',
  given: 'as it was advised in time',
  disagreed: 'by the rule: the checker refused, or named another size',
  'advisor-failed': 'by the rule: the first model gave no valid answer',
  'checker-failed': 'by the rule: the checker gave no valid answer',
  'not-given': 'by the rule: nothing was advised in time',
  'over-budget': 'by the rule: beyond the questions that the spec allows',
  abstain: 'the least: the model says not to act, nobody is asked',
  emergency: 'the least: an emergency, nobody is asked',
  unknown: 'by the rule: market or signal unknown, nobody is asked',
  rule: 'by the rule',
};

export const LOOK_AHEAD =
  'A language model may have learnt from texts about this period: it may know what came, and no test on these bars can exclude that. What it advises here proves nothing about bars that it has not seen.';

/** What has to be told of advice before anything else. */
export const adviceWarnings = (all: readonly AdviceOrigin[]): readonly string[] =>
  all.some(({ by }) => by === 'endpoints')
    ? [
        `Sizes of ${listText(all.flatMap(({ by, strategy }) => (by === 'endpoints' ? [strategy] : [])))} come from language models. ${LOOK_AHEAD}`,
      ]
    : [];

export function adviceSection(input: BacktestReportInput): readonly string[] {
  const { advice = [] } = input.origin;
  if (advice.length === 0) return [];
  return [
    ...advice.flatMap((one) => ofStrategy(input, one)),
    note(
      'Differences: of what was advised less the other, after costs, 95 % by circular block bootstrap of the same days for both. Where 0 is inside, the two cannot be told apart on these bars. ' +
        'Advice that beats the fixed size and not its own mean chose how much, not when: any smaller size has a smaller drawdown.',
    ),
  ];
}

function ofStrategy(input: BacktestReportInput, one: AdviceOrigin): readonly string[] {
  const all = [input.strategy, ...input.beside];
  const find = (name: string): NamedResult | undefined => all.find((of) => of.name === name);
  const advised = find(one.strategy);
  const rows = [
    [`${one.fixed}: whole positions`, find(one.fixed)] as const,
    [`${one.mean}: always ${percent(one.meanSize)}`, find(one.mean)] as const,
  ].flatMap(([label, other]): Cell[][] =>
    advised && other ? [differenceRow(label, advised, other)] : [],
  );
  return [
    `<h3>${escapeHtml(one.strategy)}: sizes by ${SOURCES[one.by]}</h3>`,
    table(['Against', 'Return a year', 'Sharpe ratio', 'Maximum drawdown'], rows),
    '<h3>Who decided</h3>',
    table(
      ['Sizes in the period', 'Count', 'Share'],
      [...reasonRows(one), ['all, where something was held', count(one.decisions), '100 %']],
    ),
    ...(one.asked ? [askedFacts(one.asked)] : []),
    one.late === undefined || one.late === 0
      ? ''
      : note(
          `${count(one.late)} pieces of advice came later than a minute after the next bar had opened, and count as none.`,
        ),
  ];
}

const reasonRows = ({ byReason, decisions }: AdviceOrigin): readonly Cell[][] =>
  Object.entries(REASONS).flatMap(([reason, words]) => {
    const times = byReason[reason] ?? 0;
    return times === 0 ? [] : [[words, count(times), percent(times / decisions)]];
  });

function differenceRow(label: string, one: NamedResult, other: NamedResult): Cell[] {
  const found: CurveDifference = curveDifference(one.result.curve, other.result.curve, one.result);
  return [
    label,
    differenceText(found.annualReturn, signedPercent),
    differenceText(found.sharpe, signedRatio),
    differenceText(found.maxDrawdown, signedPercent),
  ];
}

function differenceText({ value, low, high }: Interval, show: (value: number) => string): string {
  if (value === null) return 'n/a';
  return low === null || high === null ? show(value) : `${show(value)} (${range(low, high, show)})`;
}

function askedFacts(asked: NonNullable<AdviceOrigin['asked']>): string {
  const outcomes = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([outcome, times]) => `${outcome} ${count(times)}`)
      .join(', ') || 'never asked';
  return facts([
    ['Different questions', count(asked.questions)],
    [`First model, ${asked.names.advisor}`, outcomes(asked.advisor)],
    [`Checker, ${asked.names.checker}`, outcomes(asked.checker)],
    ['They agree within', `${asked.tolerancePoints} percentage points`],
  ]);
}
