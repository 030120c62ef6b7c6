/** A file of rows of a range: its first line says what was asked, the last one that it is complete. */
import { open, truncate, type FileHandle } from 'node:fs/promises';
import { CliError, EXIT } from './output.ts';
import type { Json } from './http.ts';

export interface AskedRange {
  readonly model: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly instruments?: readonly string[] | undefined;
  readonly version?: number | 'then' | undefined;
}

export interface RangeFile {
  /** Of the last whole row that an earlier command left; undefined: none. */
  readonly cursor: string | undefined;
  /** An earlier command wrote all of it. */
  readonly isComplete: boolean;
  append(text: string): Promise<void>;
  /** Says that all is there, and closes it. */
  complete(): Promise<void>;
  close(): Promise<void>;
}

const DONE = `${JSON.stringify({ done: true })}\n`;

/** What the system says of a file, in words; a full disk is no wrong use. */
export function fileProblem(path: string, cause: unknown): CliError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const isFull = code === 'ENOSPC' || code === 'EIO' || code === 'EDQUOT';
  const exitCode = isFull ? EXIT.failed : EXIT.usage;
  return new CliError(exitCode, `${path} cannot be written: ${code}`, { cause });
}

/**
 * Opens a file for the rows of a question: a new one, or one that was left unfinished, behind its last whole row; one that
 * has all of them is left as it is. Throws where it holds anything else, and leaves that as it is, too.
 */
export async function openRangeFile(
  path: string,
  { model, from, to, instruments, version }: AskedRange,
): Promise<RangeFile> {
  const head = `${JSON.stringify({ question: { model, from, to, instruments, version } })}\n`;
  const left = await leftIn(path, head);
  const file = await open(path, 'a').catch((cause: unknown) => {
    throw fileProblem(path, cause);
  });
  const append = (text: string): Promise<void> =>
    file.appendFile(text).catch((cause: unknown) => {
      throw fileProblem(path, cause);
    });
  if (left.bytes === 0) await append(head);
  return {
    cursor: left.cursor,
    isComplete: left.isComplete === true,
    append,
    async complete() {
      await append(DONE);
      await file.close();
    },
    close: () => file.close(),
  };
}

interface Left {
  /** Of its whole lines. */
  readonly bytes: number;
  readonly cursor?: string;
  readonly isComplete?: boolean;
}

/** Where a file stands that an earlier command wrote; what was cut in the middle of a row is taken off. */
async function leftIn(path: string, head: string): Promise<Left> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw fileProblem(path, cause);
  });
  if (!file) return { bytes: 0 };
  let left: Left & { readonly size: number };
  try {
    left = await readLeft(file, path, head);
  } finally {
    await file.close();
  }
  if (left.bytes < left.size) {
    await truncate(path, left.bytes).catch((cause: unknown) => {
      throw fileProblem(path, cause);
    });
  }
  return left;
}

async function readLeft(
  file: FileHandle,
  path: string,
  head: string,
): Promise<Left & { readonly size: number }> {
  const { size } = await file.stat().catch((cause: unknown) => {
    throw fileProblem(path, cause);
  });
  let [bytes, last] = [0, ''];
  try {
    for await (const line of file.readLines({ start: 0, autoClose: false })) {
      const end = bytes + Buffer.byteLength(line) + 1;
      if (bytes === 0) checkQuestion(path, end > size ? line : `${line}\n`, head);
      // The last line may have been cut: it counts where its end was written.
      if (end > size) break;
      [bytes, last] = [end, line];
    }
  } catch (error) {
    throw error instanceof CliError ? error : fileProblem(path, error);
  }
  if (`${last}\n` === head || last === '') return { bytes, size };
  const row = parsedRow(last);
  if (row && 'done' in row) return { bytes, size, isComplete: true };
  if (typeof row?.['cursor'] !== 'string') throw notOurs(path);
  return { bytes, size, cursor: row['cursor'] };
}

/** A first line that was cut is of this question where it begins like it. */
function checkQuestion(path: string, line: string, head: string): void {
  if (line.endsWith('\n') ? line === head : head.startsWith(line)) return;
  const question = parsedRow(line)?.['question'];
  if (question === undefined) throw notOurs(path);
  const message = `${path} holds answers to another question: ${JSON.stringify(question)}`;
  throw new CliError(EXIT.refused, message, {
    hint: 'ask that one to go on, or take another file',
  });
}

const notOurs = (path: string): CliError =>
  new CliError(EXIT.usage, `${path} is there and was not written by this command`);

function parsedRow(line: string): Json | undefined {
  try {
    return JSON.parse(line) as Json;
  } catch {
    return undefined;
  }
}
