/** What every command shares: how it prints, how it fails, how it reaches the platform. */
import type { Command } from 'commander';
import type { Config } from '../../infra/config.ts';
import { LiveLines } from './live-lines.ts';
import { wrapped } from './wrapped.ts';

/** Exit codes, the same for every command (`ratchet --help` lists them). */
export const EXIT = {
  ok: 0,
  /** It was tried and failed: a run that ended in failure, a server that answered 5xx. */
  failed: 1,
  /** Unknown option, bad argument, or a spec or file that is not valid (400, 413, 422). */
  usage: 2,
  notFound: 3,
  /** Refused or lost a race: conflict (409), too many requests (429), a second `up`. */
  refused: 4,
  /** The stack (or the part that is needed) is not running or not reachable (503). */
  notRunning: 5,
  /** No key, a wrong key, or one without the scope (401, 403). */
  notAllowed: 6,
  interrupted: 130,
} as const;

export const EXIT_HELP = `
Exit codes:
  0  done
  1  it was tried and failed
  2  wrong use: unknown option, bad argument, a spec or file that is not valid
  3  no such model, version, experiment or file
  4  refused: conflict, too many requests, already running
  5  the stack is not running (start it: ratchet up)
  6  not allowed: no key, wrong key, or a key without the scope
  130  interrupted`;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An expected failure: one sentence for the user, perhaps what to do next, and the exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  /** Stable code and facts for `--json`, e.g. the problem body of the API. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    exitCode: ExitCode,
    message: string,
    options: {
      readonly hint?: string | undefined;
      readonly details?: Readonly<Record<string, unknown>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** Exit code for an HTTP status of the API. */
export function exitCodeOf(status: number): ExitCode {
  if (status < 400) return EXIT.ok;
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 404) return EXIT.notFound;
  if (status === 409 || status === 429) return EXIT.refused;
  if (status === 503) return EXIT.notRunning;
  return status < 500 ? EXIT.usage : EXIT.failed;
}

export interface ApiAddress {
  /** Without a slash at its end, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly key: string;
}

/** What a command module gets. A module exports `register(program, ctx)`. */
export interface CliContext {
  /** `--json` was given (anywhere on the line); read it when the command runs, not before. */
  readonly json: boolean;
  /** A person is watching: live progress is welcome. */
  readonly interactive: boolean;
  readonly config: Config;
  readonly out: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /**
   * Where the API is and the key to use: RATCHET_URL and RATCHET_API_KEY, else the local stack
   * and its admin key. Throws `CliError` with exit code 5 when there is none.
   */
  connect(): Promise<ApiAddress>;
}

export type RegisterCommands = (program: Command, ctx: CliContext) => void;

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | boolean | null | undefined;
  /** Numbers stand right. */
  readonly align?: 'left' | 'right';
}

export interface Output {
  /** One line for a person; nothing under `--json`. */
  line(text?: string): void;
  /** What a person should know beside the result, on stderr, also under `--json`. */
  warn(text: string): void;
  /** The result under `--json` (one document on stdout); nothing otherwise. */
  data(value: unknown): void;
  /** One event of a stream under `--json` (one line, NDJSON); nothing otherwise. */
  event(value: unknown): void;
  /** Rows as a table, or as a JSON array under `--json`. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty?: string): void;
  /**
   * Replaces the line that is shown of `key`; lines of several keys stand one below the other. A plain line takes their
   * place. Without a terminal each is a plain line.
   */
  progress(text: string, key?: string): void;
  /** Ends the lines of `progress`, so that what follows starts on its own line. */
  endProgress(): void;
}

const GAP = '  ';

const cell = (value: string | number | boolean | null | undefined): string =>
  value === undefined || value === null ? '-' : String(value);

/** A time in UTC to the minute: rows of a table are for people. */
export const toMinute = (time: unknown): string | null =>
  typeof time === 'string' ? time.slice(0, 16).replace('T', ' ') : null;

/** At most `length` characters; what is cut shows. */
export const shortened = (text: string, length = 60): string =>
  text.length <= length ? text : `${text.slice(0, length - 3)}...`;

/** Narrower than this, a column of text is harder to read than lines that the terminal breaks. */
const LEAST_TEXT = 16;

/** How narrow a column may be: its words stay whole. */
const leastWidth = (texts: readonly string[]): number =>
  Math.max(LEAST_TEXT, ...texts.flatMap((text) => text.split(' ').map((word) => word.length)));

/**
 * Text of a table: two spaces between columns, a rule under the titles. Where it is wider than `width`, the widest
 * column of text takes several lines.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width = Infinity,
): readonly string[] {
  const texts = rows.map((row) => columns.map((column) => cell(column.value(row))));
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...texts.map((row) => row[i]!.length)),
  );
  const isText = (i: number): boolean => columns[i]!.align !== 'right';
  const tooMuch = widths.reduce((sum, w) => sum + w + GAP.length, -GAP.length) - width;
  const canWrap = (i: number): boolean =>
    isText(i) && widths[i]! - tooMuch >= leastWidth(texts.map((row) => row[i]!));
  const wraps =
    tooMuch <= 0
      ? -1
      : widths.reduce((at, w, i) => (w > (widths[at] ?? 0) && canWrap(i) ? i : at), -1);
  if (wraps >= 0) widths[wraps]! -= tooMuch;
  const pad = (text: string, i: number): string =>
    isText(i) ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
  const line = (values: readonly string[]): string => values.map(pad).join(GAP).trimEnd();
  const linesOf = (row: readonly string[]): string[] => {
    if (wraps < 0) return [line(row)];
    const [first = '', ...more] = wrapped(row[wraps]!, widths[wraps]!);
    const blank = row.map(() => '');
    return [line(row.with(wraps, first)), ...more.map((text) => line(blank.with(wraps, text)))];
  };
  return [
    line(columns.map((c) => c.title)),
    line(widths.map((w) => '-'.repeat(w))),
    ...texts.flatMap(linesOf),
  ];
}

/**
 * Writes to `stdout`, warnings to `stderr`; `json()` is asked at each call because options are parsed late. For a terminal, lines and
 * tables are fitted to its width; what goes to a file or a pipe is one line each.
 */
export function createOutput(
  stdout: NodeJS.WritableStream & {
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  },
  json: () => boolean,
  stderr: NodeJS.WritableStream = process.stderr,
): Output {
  const live = new LiveLines(stdout);
  const width = (): number => (stdout.isTTY === true && stdout.columns) || Infinity;
  const print = (text: string): void => {
    live.erase();
    stdout.write(`${text}\n`);
  };
  return {
    line: (text = '') => {
      if (!json()) for (const part of wrapped(text, width())) print(part);
    },
    warn: (text) => {
      live.erase();
      stderr.write(`warning: ${text}\n`);
    },
    data: (value) => {
      if (json()) print(JSON.stringify(value, undefined, 2));
    },
    event: (value) => {
      if (json()) print(JSON.stringify(value));
    },
    table: (rows, columns, empty = 'none') => {
      if (json()) {
        print(JSON.stringify(rows, undefined, 2));
      } else if (rows.length === 0) {
        print(empty);
      } else {
        for (const text of formatTable(rows, columns, width())) print(text);
      }
    },
    progress: (text, key = '') => {
      if (json()) return;
      if (!stdout.isTTY) return print(text);
      // A terminal that does not know its size says 0.
      live.set(key, text, { columns: stdout.columns || 100, rows: stdout.rows || 24 });
    },
    endProgress: () => live.end(),
  };
}
