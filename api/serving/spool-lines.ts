import { predictionLine } from '../../registry/prediction-lines.ts';
import type { PredictionRow } from '../../registry/predictions.ts';
import { CRC_BYTES, crcOf, NEWLINE } from './spool-segments.ts';

/** Bytes of a character in UTF-8, at most, by unit of a string. */
const CHAR_BYTES = 3;
/** Some ten predictions; more for larger groups, given back behind a very large one. */
const ROOM_BYTES = 16 * 1024;
const MAX_ROOM_BYTES = 256 * 1024;

/** Lines of a spool that wait to be written, as they will stand there: each is encoded once. */
export class WaitingLines {
  #room = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #bytes = 0;

  /** Of all that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Puts a prediction behind the others, and gives the bytes of its line. */
  add(row: PredictionRow): number {
    const text = predictionLine(row);
    const at = this.#bytes;
    this.#makeRoom(at + CRC_BYTES + CHAR_BYTES * text.length + 1);
    const from = at + CRC_BYTES;
    const end = from + this.#room.write(text, from);
    this.#room.write(crcOf(this.#room.subarray(from, end)), at, 'latin1');
    this.#room[end] = NEWLINE;
    this.#bytes = end + 1;
    return this.#bytes - at;
  }

  /** Takes the last line of so many bytes away again. */
  drop(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** All that wait, which wait no longer; to be used before the next `add`. */
  take(): Buffer {
    const lines = this.#room.subarray(0, this.#bytes);
    this.#bytes = 0;
    if (this.#room.length > MAX_ROOM_BYTES) this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES);
    return lines;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#room.length) return;
    const larger = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
    this.#room.copy(larger, 0, 0, this.#bytes);
    this.#room = larger;
  }
}
