/** How predictions stand in the files of a spool. */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

export const NEWLINE = 0x0a;
/** A CRC and a space before the text of each line. */
export const CRC_BYTES = 9;

/** Read at once, and of one statement: some 64 lines, a tenth of a millisecond of the thread that also answers. */
const READ_BYTES = 96 * 1024;
/**
 * The same where one must catch up: a statement takes turns of the event loop, each of which answers all that came
 * meanwhile, so that small ones are no more than some ten thousand rows a second.
 */
const MUCH_READ_BYTES = 8 * READ_BYTES;

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

/** Some lines of a segment. */
export interface SpooledLines {
  readonly form: SpoolForm;
  /** Each with its end and without its CRC; until the next lines are asked for. */
  readonly text: Buffer;
  readonly count: number;
  /** In which they were answered: YYYY-MM. */
  readonly months: ReadonlySet<string>;
  /** How many beside these were no such. */
  readonly damaged: number;
}

/** The lines of a text, each of which has its end, without it. */
export function* eachLine(text: Buffer): Generator<Buffer, void, undefined> {
  let from = 0;
  for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, from)) {
    yield text.subarray(from, end);
    from = end + 1;
  }
}

/** The month in which a row was answered: of its second field, behind an id, within these. */
const MONTH: Readonly<Record<SpoolForm, RegExp>> = {
  copy: /^[^\t]*\t(\d{4}-\d{2})-[^\t]+\t/,
  ndjson: /^\{"id":"[^"]*","at":"(\d{4}-\d{2})-[^"]+"/,
};
const HEAD_BYTES = 120;

/** What stands before the text of a line. */
export const crcOf = (text: Buffer): string => `${crc32(text).toString(16).padStart(8, '0')} `;

/** Reads segments, one at a time, through one piece of memory: files of megabytes each would call for the garbage collector. */
export class SegmentReader {
  #room = Buffer.allocUnsafeSlow(READ_BYTES);

  /**
   * The lines of the segment at `path`, some or `much` at a time: what is done with them may take turns of the event
   * loop.
   */
  async *lines(
    path: string,
    form: SpoolForm,
    much: boolean,
  ): AsyncGenerator<SpooledLines, void, undefined> {
    const file = await open(path);
    if (much) this.#room = Buffer.allocUnsafeSlow(MUCH_READ_BYTES);
    try {
      let held = 0;
      for (let isEnd = false; !isEnd;) {
        // A byte is kept for the end of a last line that lacks it.
        const free = this.#room.length - held - 1;
        const { bytesRead } = await file.read(this.#room, held, free, null);
        held += bytesRead;
        isEnd = bytesRead === 0;
        if (isEnd && held > 0 && this.#room[held - 1] !== NEWLINE) this.#room[held++] = NEWLINE;
        const room = this.#room;
        const whole = room.subarray(0, held).lastIndexOf(NEWLINE) + 1;
        if (whole > 0) yield wholeLines(room.subarray(0, whole), form);
        else if (2 * held > room.length) this.#room = Buffer.allocUnsafeSlow(2 * room.length);
        held = room.copy(this.#room, 0, whole, held);
      }
    } finally {
      await file.close();
      if (this.#room.length > READ_BYTES) this.#room = Buffer.allocUnsafeSlow(READ_BYTES);
    }
  }
}

/** Leaves of lines that are whole what is behind their CRCs, in their place; torn or damaged ones are counted, not guessed. */
function wholeLines(bytes: Buffer, form: SpoolForm): SpooledLines {
  const months = new Set<string>();
  let [count, damaged, length] = [0, 0, 0];
  for (let from = 0, end = 0; from < bytes.length; from = end + 1) {
    end = bytes.indexOf(NEWLINE, from);
    if (end === from) continue;
    const text = bytes.subarray(from + CRC_BYTES, end);
    const month = MONTH[form].exec(text.toString('latin1', 0, HEAD_BYTES))?.[1];
    if (month === undefined || bytes.toString('latin1', from, from + CRC_BYTES) !== crcOf(text)) {
      damaged++;
      continue;
    }
    months.add(month);
    count++;
    bytes.copyWithin(length, from + CRC_BYTES, end + 1);
    length += end + 1 - from - CRC_BYTES;
  }
  return { form, text: bytes.subarray(0, length), count, months, damaged };
}
