import { isoTime } from '../../../core/calendar/day.ts';
import type {
  ChangedColumn,
  LookaheadCheck,
  MeasuredColumn,
  Subject,
} from '../../../core/lookahead/index.ts';
import type { Bars } from '../../../core/bars/bars.ts';
import { shortBarName } from '../bar-times.ts';
import type { CliContext, Column } from '../output.ts';

/** Times of a column's changed bars that a table shows. */
const TIMES_SHOWN = 3;

/** What was found of one subject. */
export interface LookaheadFinding extends LookaheadCheck {
  readonly subject: Subject;
  readonly bars: Bars;
}

export interface WarmupFinding {
  readonly subject: Subject;
  readonly columns: readonly MeasuredColumn[];
}

const right = <Row>(title: string, value: Column<Row>['value']): Column<Row> => ({
  title,
  value,
  align: 'right',
});
const digits = (value: number): string =>
  Number.isNaN(value) ? 'none' : String(Number(value.toPrecision(6)));
const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

/** The columns that look ahead as a table, or a sentence that none does. */
export function tellLookahead(ctx: CliContext, findings: readonly LookaheadFinding[]): void {
  type Row = ChangedColumn & {
    readonly of: string;
    readonly bars: Bars;
    readonly allowed: number;
  };
  const rows: readonly Row[] = findings.flatMap(({ subject, changed, bars }) =>
    changed.map((column) => ({
      ...{ ...column, of: subject.name, bars },
      allowed: subject.columns.find(({ name }) => name === column.column)?.aheadBars ?? 0,
    })),
  );
  const timeOf = (row: Row, at: number): string => shortBarName(isoTime(row.bars.openTime[at]!));
  const times = (row: Row): string => {
    const shown = row.rows.slice(0, TIMES_SHOWN).map((at) => timeOf(row, at));
    return [...shown, ...(row.rows.length > TIMES_SHOWN ? ['...'] : [])].join(', ');
  };
  const asked = findings.map(({ subject, unchecked }) => subject.columns.length - unchecked.length);
  const all = asked.reduce((sum, n) => sum + n, 0);
  if (rows.length === 0) {
    ctx.out.line(`${noneOf(all, findings)} looks ahead.`);
  } else {
    ctx.out.table(rows, [
      { title: 'of', value: (row) => row.of },
      { title: 'column', value: (row) => row.column },
      right('may', (row) => row.allowed),
      right('reads ahead', (row) => `${row.readsAhead} or more`),
      right('bars', (row) => row.rows.length),
      { title: 'at', value: times },
      { title: 'most at', value: (row) => timeOf(row, row.largest.row) },
      right('was', (row) => digits(row.largest.before)),
      right('became', (row) => digits(row.largest.after)),
    ]);
    const of = plural(all, 'column');
    ctx.out.line(`${rows.length} of ${of} ${rows.length === 1 ? 'looks' : 'look'} ahead.`);
  }
  tellUnchecked(
    ctx,
    findings.flatMap(({ subject, unchecked }) => unchecked.map((name) => [subject.name, name])),
  );
}

function noneOf(columns: number, findings: readonly { readonly subject: Subject }[]): string {
  const [first] = findings;
  const of =
    findings.length === 1 && first ? first.subject.name : plural(findings.length, 'definition');
  return `None of the ${plural(columns, 'column')} of ${of}`;
}

function tellUnchecked(ctx: CliContext, unchecked: readonly (readonly string[])[]): void {
  if (unchecked.length === 0) return;
  const names = unchecked.map((parts) => parts.join(' '));
  ctx.out.line(`Not checked, they have no value on these bars: ${names.join(', ')}.`);
}

interface WarmupRow extends MeasuredColumn {
  readonly of: string;
}

const WARMUP_COLUMNS: readonly Column<WarmupRow>[] = [
  { title: 'of', value: (row) => row.of },
  { title: 'column', value: (row) => row.column },
  right('warm-up', (row) => row.declared.warmupBars),
  right('measured', (row) => bars(row.measured.warmupBars)),
  right('memory', (row) => row.declared.memoryBars),
  right('measured', (row) => bars(row.measured.memoryBars)),
  right('settles', (row) =>
    row.measured.settlesBars === undefined ? undefined : bars(row.measured.settlesBars),
  ),
  {
    title: '',
    value: ({ understated, unchecked }) =>
      unchecked
        ? 'no value'
        : understated.length === 0
          ? ''
          : `${understated.map((what) => WORDS[what]).join(' and ')} too small`,
  },
];
const WORDS = { warmupBars: 'warm-up', memoryBars: 'memory' } as const;
const bars = (value: number | null): number | string => value ?? 'no end';

/** Declared beside measured: what is declared too small first, then what remembers longest; at most `shown` rows. */
export function tellWarmup(
  ctx: CliContext,
  findings: readonly WarmupFinding[],
  shown: number,
): void {
  const rows = findings
    .flatMap(({ subject, columns }) => columns.map((column) => ({ ...column, of: subject.name })))
    .sort((a, b) => rankOf(b) - rankOf(a));
  const wrong = rows.filter(({ understated }) => understated.length > 0);
  const kept = rows.slice(0, Math.max(shown, wrong.length));
  ctx.out.table(kept, WARMUP_COLUMNS);
  if (rows.length > kept.length) {
    ctx.out.line(`... ${rows.length - kept.length} more remember less: --rows shows more`);
  }
  const checked = rows.filter(({ unchecked }) => !unchecked).length;
  ctx.out.line(
    wrong.length === 0
      ? `${noneOf(checked, findings)} declares too small a warm-up or memory.`
      : `${wrong.length} of ${plural(checked, 'column')} ${wrong.length === 1 ? 'declares' : 'declare'} too small a warm-up or memory.`,
  );
}

const rankOf = ({ understated, measured }: WarmupRow): number =>
  understated.length > 0 ? Infinity : (measured.memoryBars ?? 0);
