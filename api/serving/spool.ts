import {
  closeSync,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../activities/deps.ts';
import type { PredictionRow } from '../../registry/predictions.ts';
import { CRC_BYTES, crcOf, NEWLINE, WaitingLines } from './spool-lines.ts';

/** A segment larger than this is closed and the next one begun. */
export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** All segments together: about 60,000 predictions; a full spool answers `recorded: false`. */
export const SPOOL_BYTES = 64 * 1024 * 1024;
/** What was scored beside an answer leaves the rest of the spool to the answers. */
const BESIDE_SHARE = 0.5;
/** Group commit: what a power cut can take is the last 100 ms. */
const SYNC_MS = 100;
/** A disk that refused is asked again after this long, not for every prediction. */
const RETRY_MS = 1_000;

/** Lines read, and rows of one INSERT: some quarter of a millisecond of the thread that also answers. */
const READ_LINES = 64;

const SEGMENT = /^(\d{10})\.ndjson$/;
const nameOf = (sequence: number): string => `${String(sequence).padStart(10, '0')}.ndjson`;

interface Segment {
  readonly sequence: number;
  bytes: number;
}

/** Whose line waits for others of this turn of the event loop. */
interface Kept {
  readonly bytes: number;
  readonly resolve: (kept: boolean) => void;
}

/** A prediction as it stands in a segment: the JSON of its row, whose answer is no text but JSON itself. */
export interface SpooledLine {
  readonly json: Buffer;
  /** ISO. */
  readonly at: string;
}

/** Some lines of a segment, and how many among them were no such. */
export interface SpooledLines {
  readonly lines: readonly SpooledLine[];
  readonly damaged: number;
}

/**
 * Predictions on their way to PostgreSQL: append-only files, one line a prediction with its CRC. A line
 * is handed to the kernel before the answer goes out, so that a killed process loses nothing; the disk
 * follows within 100 ms. Whatever a crash left behind is read at the next start.
 */
export class Spool {
  readonly #folder: string;
  readonly #log: Log;
  readonly #capacity: number;
  readonly #closed: Segment[] = [];
  #active: (Segment & { readonly fd: number }) | undefined;
  #next: number;
  #bytes = 0;
  #dirty = false;
  #syncing = false;
  readonly #timer: NodeJS.Timeout;
  readonly #now: () => number;
  /** When a disk that refused a write is tried again; 0: it took the last one. */
  #retryAt = 0;
  #kept: Kept[] = [];
  /** Of those. */
  readonly #lines = new WaitingLines();
  /** Of one that waits for nothing. */
  readonly #beside = new WaitingLines();
  /** Before this turn ends. */
  #flushesSoon = false;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(parts: {
    readonly folder: string;
    readonly log: Log;
    readonly capacity?: number;
    readonly now?: () => number;
  }) {
    this.#now = parts.now ?? (() => performance.now());
    this.#folder = parts.folder;
    this.#log = parts.log;
    this.#capacity = parts.capacity ?? SPOOL_BYTES;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    let last = 0;
    for (const name of readdirSync(this.#folder).sort()) {
      const match = SEGMENT.exec(name);
      if (!match) continue;
      const sequence = Number(match[1]);
      const { size } = statSync(join(this.#folder, name));
      this.#closed.push({ sequence, bytes: size });
      this.#bytes += size;
      last = Math.max(last, sequence);
    }
    this.#next = last + 1;
    this.#timer = setInterval(() => this.#sync(), SYNC_MS);
    this.#timer.unref();
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes one prediction; false when the spool is full or the disk refuses: then it is not recorded. */
  append(row: PredictionRow, kind: 'answered' | 'beside' = 'answered'): boolean {
    const capacity = kind === 'answered' ? this.#capacity : this.#capacity * BESIDE_SHARE;
    const bytes = this.#beside.add(row);
    const line = this.#beside.take();
    if (this.#bytes + this.#lines.bytes + bytes > capacity) return false;
    return this.#write(line) === bytes;
  }

  /**
   * The same for an answer that has yet to go out. All that come in one `turn` of the event loop
   * are written together; answers of one `run` of a network are all there as soon as what their
   * promises led to is done, and wait no longer.
   */
  keep(row: PredictionRow, together: 'turn' | 'run' = 'turn'): Promise<boolean> {
    const bytes = this.#lines.add(row);
    if (this.#bytes + this.#lines.bytes > this.#capacity) {
      this.#lines.drop(bytes);
      return Promise.resolve(false);
    }
    if (together === 'run' && !this.#flushesSoon) {
      this.#flushesSoon = true;
      process.nextTick(() => this.#flush());
    } else if (this.#kept.length === 0) setImmediate(() => this.#flush());
    return new Promise((resolve) => this.#kept.push({ bytes, resolve }));
  }

  #flush(): void {
    this.#flushesSoon = false;
    const group = this.#kept;
    if (group.length === 0) return;
    this.#kept = [];
    const standing = this.#write(this.#lines.take());
    let end = 0;
    for (const { bytes, resolve } of group) resolve((end += bytes) <= standing);
  }

  /** Bytes of the whole lines that stand then: all, or those that the disk took before it refused. */
  #write(bytes: Buffer): number {
    if (this.#now() < this.#retryAt) return 0;
    let written = 0;
    try {
      const { fd } = (this.#active ??= this.#open());
      while (written < bytes.byteLength) written += writeSync(fd, bytes, written);
      this.#count(written);
      this.#retryAt = 0;
      return written;
    } catch (error) {
      if (this.#retryAt === 0)
        this.#log.error({ err: error }, 'the prediction spool cannot be written');
      this.#retryAt = this.#now() + RETRY_MS;
      const whole = written === 0 ? 0 : bytes.lastIndexOf(NEWLINE, written - 1) + 1;
      this.#count(this.#cut(whole) ? whole : written);
      // The next line begins a new segment: half a line may stand at the end of this one.
      this.#close();
      return whole;
    }
  }

  #count(bytes: number): void {
    const segment = this.#active;
    if (!segment || bytes === 0) return;
    segment.bytes += bytes;
    this.#bytes += bytes;
    this.#dirty = true;
    if (segment.bytes >= SEGMENT_BYTES) this.#close();
  }

  /** Takes away what stands beyond `whole` bytes of the last write. */
  #cut(whole: number): boolean {
    const segment = this.#active;
    if (!segment) return false;
    try {
      ftruncateSync(segment.fd, segment.bytes + whole);
      return true;
    } catch {
      return false;
    }
  }

  #open(): Segment & { readonly fd: number } {
    const sequence = this.#next++;
    const fd = openSync(join(this.#folder, nameOf(sequence)), 'wx', 0o600);
    return { sequence, bytes: 0, fd };
  }

  #close(): void {
    const segment = this.#active;
    if (!segment) return;
    this.#active = undefined;
    // A disk that is full may take no line and yet a file for each attempt.
    if (segment.bytes === 0) rmSync(join(this.#folder, nameOf(segment.sequence)), { force: true });
    else this.#closed.push({ sequence: segment.sequence, bytes: segment.bytes });
    fdatasync(segment.fd, (error) => {
      if (error) this.#log.error({ err: error }, 'the prediction spool cannot be synced');
      closeSync(segment.fd);
    });
  }

  #sync(): void {
    const segment = this.#active;
    if (!segment || !this.#dirty || this.#syncing) return;
    this.#dirty = false;
    this.#syncing = true;
    fdatasync(segment.fd, (error) => {
      this.#syncing = false;
      // EBADF: the segment was closed meanwhile, which syncs as well.
      if (error && error.code !== 'EBADF') {
        this.#log.error({ err: error }, 'the prediction spool cannot be synced');
      }
    });
  }

  /** The segment that was begun last. */
  get newest(): number {
    return this.#next - 1;
  }

  /** The oldest segment to record, none newer than `newest`; closes the active one when no other waits. */
  take(newest = this.newest): number | undefined {
    const active = this.#active;
    const isWanted = active && active.bytes > 0 && active.sequence <= newest;
    if (this.#closed.length === 0 && isWanted) this.#close();
    const oldest = this.#closed[0]?.sequence;
    return oldest !== undefined && oldest <= newest ? oldest : undefined;
  }

  /**
   * The predictions of a closed segment, some at a time; torn or damaged lines are counted, not guessed. What is done
   * with some of them may take turns of the event loop, for this thread also answers.
   */
  async *read(sequence: number): AsyncGenerator<SpooledLines, void, undefined> {
    const bytes = await this.#bytesOf(sequence);
    let [lines, damaged]: [SpooledLine[], number] = [[], 0];
    for (let from = 0, end = 0; from < bytes.length; from = end + 1) {
      const newline = bytes.indexOf(NEWLINE, from);
      end = newline < 0 ? bytes.length : newline;
      if (end === from) continue;
      const json = bytes.subarray(from + CRC_BYTES, end);
      const at = AT.exec(json.toString('latin1', 0, HEAD_BYTES))?.[1];
      const crc = bytes.toString('latin1', from, from + CRC_BYTES);
      if (at !== undefined && crc === crcOf(json)) lines.push({ json, at });
      else damaged++;
      if (lines.length === READ_LINES) {
        yield { lines, damaged };
        [lines, damaged] = [[], 0];
      }
    }
    yield { lines, damaged };
  }

  /** A segment that somebody removed is lost, and must not hold up those behind it. */
  async #bytesOf(sequence: number): Promise<Buffer> {
    try {
      return await readFile(join(this.#folder, nameOf(sequence)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#log.error({ segment: sequence }, 'a segment of the prediction spool is gone');
      return Buffer.alloc(0);
    }
  }

  /** Forgets a segment whose rows are all recorded. */
  async remove(sequence: number): Promise<void> {
    await rm(join(this.#folder, nameOf(sequence)), { force: true });
    const index = this.#closed.findIndex((segment) => segment.sequence === sequence);
    if (index < 0) return;
    this.#bytes -= this.#closed[index]!.bytes;
    this.#closed.splice(index, 1);
  }

  /** Stops the timer; what waits stays on disk. */
  close(): void {
    clearInterval(this.#timer);
    this.#flush();
    this.#close();
  }
}

/** When a row was answered: its second field, behind an id, within these. */
const AT = /^\{"id":"[^"]*","at":"([^"]+)"/;
const HEAD_BYTES = 120;
