/** Predictions as lines of COPY: how they wait in a spool, and go to PostgreSQL without being read. */
import { copyField, copyFields, copyIn, type CopyValue } from './copy-in.ts';
import type { Db } from './in-transaction.ts';
import type { PredictionRow } from './predictions.ts';

/**
 * In the order of a line's values. The lines of an earlier release have theirs in this order: a new column comes at the end,
 * and none goes.
 */
const COLUMNS = [
  ...(['id', 'at', 'batch_id', 'model', 'version', 'generation', 'package_digest'] as const),
  ...(['instrument', 'as_of', 'request_id', 'key_id', 'replica_id', 'answer'] as const),
  ...(['duration_ms', 'role', 'input', 'pair_id', 'trial_id', 'error'] as const),
  ...(['asked_as_of', 'code_version'] as const),
] satisfies readonly (keyof PredictionRow)[];

const COPY = `copy prediction (${COLUMNS.join(', ')}) from stdin`;

/** A prediction as a line, without its end. */
export function predictionLine(row: PredictionRow): string {
  const values: Readonly<Record<string, CopyValue>> = row;
  let line = row.id;
  for (let c = 1; c < COLUMNS.length; c++) {
    const column = COLUMNS[c]!;
    const value = column === 'answer' ? storable(row.answer) : (values[column] ?? ABSENT[column]);
    line += `\t${copyField(value)}`;
  }
  return line;
}

/** What stands for a value that is not there. */
const ABSENT: Readonly<Record<string, string>> = { role: 'champion', input: 'instrument' };

/**
 * JSON whose texts (its keys are ours) PostgreSQL can hold: a zero character and half a surrogate
 * pair, which JSON writes as escapes, become U+FFFD. Stored, they would fail whoever reads a field
 * of any answer.
 */
const storable = (json: string): string =>
  json.includes('\\u')
    ? JSON.stringify(JSON.parse(json), (_, value: unknown) =>
        typeof value === 'string'
          ? value.replaceAll(/\p{Surrogate}/gu, '\uFFFD').replaceAll('\0', '\uFFFD')
          : value,
      )
    : json;

/** The same prediction as JSON, whose answer is no text but JSON itself. */
export function predictionJson(line: string): string {
  const values = copyFields(line);
  const fields = COLUMNS.map((column, c) => {
    const value = values[c] ?? null;
    return `"${column}":${column === 'answer' ? value : JSON.stringify(value)}`;
  });
  return `{${fields.join(',')}}`;
}

/** Stores lines, each with its end: all of them, or, where one is there already or cannot be stored, none. */
export const copyPredictions = (db: Db, lines: Buffer): Promise<void> => copyIn(db, COPY, lines);
