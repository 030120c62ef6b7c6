/** The counts of protocol P1 as a page of tables. */
import { powerOf } from '../../core/metrics/power.ts';
import { failures, limitOf, pooled } from './acceptance.ts';
import { markets } from './markets.ts';
import type { Cell, Count, Method } from './protocol.ts';

export interface Circumstances {
  readonly command: string;
  readonly seed: number;
  readonly series: number;
  readonly seconds: number;
  readonly machine: string;
}

const TITLES: Record<Method, string> = {
  test: 'Comparison test on fixed rows, p <= 5 % (`compareLosses`)',
  gate: 'The gate: the same p against the level of the try (`levelOfTry`), which is what promotes',
  naive: 'Planted: a t-test that takes overlapping losses for independent',
  sequence: 'Trial: confidence sequence (`confidenceSequence`)',
  eValue: 'Trial with `guarantee: strict`: e-value (`valueTest`)',
  peeking: 'Planted: a fixed-sample t-test at each block of the trial, until it likes what it sees',
};
const HELD: readonly Method[] = ['test', 'gate', 'sequence', 'eValue'];
const ALL: readonly Method[] = ['test', 'gate', 'naive', 'sequence', 'eValue', 'peeking'];
const SEQUENTIAL: readonly Method[] = ['sequence', 'eValue'];

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const cellName = ({ rows, horizon }: Cell): string => `${rows}, ${horizon}`;
const lineOf = (values: readonly string[]): string => `| ${values.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [lineOf(head), lineOf(head.map(() => '---')), ...rows.map(lineOf)].join('\n');
}

const ofMethod = (counts: readonly Count[], method: Method): readonly Count[] =>
  counts.filter((count) => count.method === method);
const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];

/** One line a design, one column a cell. */
function byCell(counts: readonly Count[], text: (count: Count) => string): string {
  const cells = unique(counts.map(({ cell }) => cell));
  const designs = unique(counts.map(({ design }) => design));
  const at = (cell: Cell, design: unknown): Count | undefined =>
    counts.find((count) => count.cell === cell && count.design === design);
  const rows = designs.map((design) => [
    design.name,
    ...cells.map((cell) => {
      const count = at(cell, design);
      return count ? text(count) : '';
    }),
  ]);
  return table(['n, h', ...cells.map(cellName)], rows);
}

function promotions(count: Count): string {
  const limit = limitOf(count);
  const outside = limit !== null && count.promoted > limit;
  return outside ? `**${count.promoted}** > ${limit}` : String(count.promoted);
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length < 20 ? '' : String(sorted[Math.floor((sorted.length - 1) / 2)]!);
}

function summary(counts: readonly Count[]): string {
  const rows = ALL.map((method) => {
    const all = pooled(counts, method);
    const outside = failures(counts, method).filter((text) => !text.includes('on average'));
    const verdict = all.promoted > all.limit || outside.length > 0 ? 'outside' : 'inside';
    const figures = [all.promoted.toFixed(1), String(all.limit), String(outside.length)];
    return [TITLES[method], ...figures, HELD.includes(method) ? verdict : `${verdict} (must be)`];
  });
  const head = [
    'what',
    'false promotions, mean over null cells',
    'bound',
    'cells outside',
    'verdict',
  ];
  return table(head, rows);
}

function byMarket(counts: readonly Count[]): string {
  const rows = HELD.map((method) => {
    const nulls = ofMethod(counts, method).filter(
      ({ design }) => design.kind === 'null' && !(design.name === 'N5' && method === 'test'),
    );
    return [
      method,
      ...markets.map((_, market) => {
        const promoted = nulls.reduce((sum, count) => sum + count.byMarket[market]!, 0);
        const series = nulls.reduce((sum, count) => sum + count.series / markets.length, 0);
        return percent(promoted / series);
      }),
    ];
  });
  return table(['', ...markets.map(({ name }) => name)], rows);
}

function powerTable(counts: readonly Count[]): string {
  const measured = ofMethod(counts, 'test');
  const cells = unique(measured.map(({ cell }) => cell));
  const rows = cells.map((cell) => {
    const share = (name: string): string => {
      const count = measured.find((c) => c.cell === cell && c.design.name === name);
      return count ? percent(count.promoted / count.series) : '';
    };
    const printed = powerOf(cell.rows, cell.horizon);
    const text = (value: number | undefined): string =>
      value === undefined ? '' : `${printed!.atLeast ? 'at least ' : ''}${percent(value)}`;
    const sheet = [text(printed?.reduction2), text(printed?.reduction5)];
    return [
      cellName(cell),
      share('P2'),
      sheet[0]!,
      share('P5'),
      sheet[1]!,
      share('P10'),
      share('P2x3'),
      share('P5x3'),
    ];
  });
  return table(
    ['n, h', '2 %', 'sheet', '5 %', 'sheet', '10 %', '2 %, three seeds', '5 %, three seeds'],
    rows,
  );
}

function methodSection(counts: readonly Count[], method: Method): string {
  const mine = ofMethod(counts, method);
  return `### ${TITLES[method]}\n\n${byCell(mine, promotions)}\n`;
}

function timesSection(counts: readonly Count[]): string {
  return SEQUENTIAL.map((method) => {
    const power = ofMethod(counts, method).filter(({ design }) => design.kind === 'power');
    const single = ofMethod(counts, method).filter(
      ({ design }) => design.name !== 'N5' && design.kind !== 'power',
    );
    return [
      `${TITLES[method]}: median rows to a promotion, of the series that came to one (20 or more)`,
      byCell(power, ({ times }) => median(times)),
      'The same, aborted for harm (N6 is worse by 2 %, the others are equal):',
      byCell(single, ({ harmed }) => String(harmed)),
    ].join('\n\n');
  }).join('\n\n');
}

/** The page up to the hand-written reading. */
export function pageOf(counts: readonly Count[], about: Circumstances): string {
  const designs = unique(counts.map(({ design }) => design));
  const problems = HELD.flatMap((method) => failures(counts, method));
  return `# False promotions and power, by simulation

Made by \`${about.command}\` (protocol P1, seed ${about.seed}, ${about.series} series, ${about.seconds.toFixed(0)} s on one core of
${about.machine}). The functions that are tested are the product's own. Counts are of ${about.series} series.

Markets, a quarter of the series each: ${markets.map(({ name, docs }) => `*${name}*: ${docs}`).join('; ')}.
Labels are overlapping sums of h returns; forecasts are AR(.95) with 2 % of the label's variance.

${table(
  ['design', 'the two models'],
  designs.map(({ name, docs }) => [name, docs]),
)}

## Verdict

At a true rate of 5 % chance gives at most ${pooled(counts, 'test').limit} (95 %), and in one of many cells at most
${limitOf(counts[0]!)} (99.7 %); N6 at most 5 %. N5 is held to the bound where tries have levels, not at p <= 5 % each. The cells share
their series, so they are not independent of each other.

${summary(counts)}

${problems.length === 0 ? 'No cell is outside its bound.' : `Outside their bound:\n\n${problems.map((text) => `- ${text}`).join('\n')}`}

False promotions by market, all null cells:

${byMarket(counts)}

## Promotions in each cell

In N1 to N6 a promotion is false; in P2, P5 and P10 (2, 5, 10 % better; x3: three seeds) it is right: there the count is the power.

${ALL.map((method) => methodSection(counts, method)).join('\n')}
## Power of the comparison test, beside what evidence sheets print

${powerTable(counts)}

## Trials: time to decision, and aborts for harm

${timesSection(counts)}
`;
}
