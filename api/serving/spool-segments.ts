/** How predictions stand in the files of a spool. */
import { crc32 } from 'node:zlib';

export const NEWLINE = 0x0a;
/** A CRC and a space before the text of each line. */
export const CRC_BYTES = 9;

/** Lines read, and rows of one statement: some tenth of a millisecond of the thread that also answers. */
const READ_LINES = 64;

/** Lines of COPY, or, by earlier releases, JSON. Those look at no file of a form that they do not know. */
export type SpoolForm = 'copy' | 'ndjson';

export interface NamedSegment {
  readonly sequence: number;
  readonly name: string;
  readonly form: SpoolForm;
}

const NAME = /^(\d{10})\.(?:copy|ndjson)$/;

/** A segment by the name of its file; undefined: the file is none. */
export function segmentNamed(name: string): NamedSegment | undefined {
  const sequence = NAME.exec(name)?.[1];
  if (sequence === undefined) return undefined;
  return { sequence: Number(sequence), name, form: name.endsWith('.copy') ? 'copy' : 'ndjson' };
}

export const newSegment = (sequence: number): NamedSegment => ({
  sequence,
  ...{ name: `${String(sequence).padStart(10, '0')}.copy`, form: 'copy' },
});

/** A prediction as it stands in a segment. */
export interface SpooledLine {
  readonly text: Buffer;
  /** ISO. */
  readonly at: string;
}

/** Some lines of a segment, and how many among them were no such. */
export interface SpooledLines {
  readonly form: SpoolForm;
  readonly lines: readonly SpooledLine[];
  readonly damaged: number;
}

/** When a row was answered: its second field, behind an id, within these. */
const AT: Readonly<Record<SpoolForm, RegExp>> = {
  copy: /^[^\t]*\t([^\t]+)\t/,
  ndjson: /^\{"id":"[^"]*","at":"([^"]+)"/,
};
const HEAD_BYTES = 120;

/** What stands before the text of a line. */
export const crcOf = (text: Buffer): string => `${crc32(text).toString(16).padStart(8, '0')} `;

/**
 * The lines of a segment, some at a time: what is done with some of them may take turns of the event loop, for this thread
 * also answers.
 */
export function* spooledLines(
  bytes: Buffer,
  form: SpoolForm,
): Generator<SpooledLines, void, undefined> {
  let [lines, damaged]: [SpooledLine[], number] = [[], 0];
  for (let from = 0, end = 0; from < bytes.length; from = end + 1) {
    const newline = bytes.indexOf(NEWLINE, from);
    end = newline < 0 ? bytes.length : newline;
    if (end === from) continue;
    const text = bytes.subarray(from + CRC_BYTES, end);
    const at = AT[form].exec(text.toString('latin1', 0, HEAD_BYTES))?.[1];
    const crc = bytes.toString('latin1', from, from + CRC_BYTES);
    if (at !== undefined && crc === crcOf(text)) lines.push({ text, at });
    else damaged++;
    if (lines.length === READ_LINES) {
      yield { form, lines, damaged };
      [lines, damaged] = [[], 0];
    }
  }
  yield { form, lines, damaged };
}
