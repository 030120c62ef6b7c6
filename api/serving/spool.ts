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
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../activities/deps.ts';
import type { PredictionRow } from '../../registry/predictions.ts';
import { WaitingLines } from './spool-lines.ts';
import {
  NEWLINE,
  newSegment,
  segmentNamed,
  SegmentReader,
  type NamedSegment,
  type SpooledLines,
} from './spool-segments.ts';

/** A segment larger than this is closed and the next one begun. */
export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** All segments together: some 40,000 predictions; a full spool answers `recorded: false`. */
export const SPOOL_BYTES = 64 * 1024 * 1024;
/** What was scored beside an answer leaves the rest of the spool to the answers. */
const BESIDE_SHARE = 0.5;
/** Group commit: what a power cut can take is the last 100 ms. */
const SYNC_MS = 100;
/** A disk that refused is asked again after this long, not for every prediction. */
const RETRY_MS = 1_000;

interface Segment extends NamedSegment {
  bytes: number;
}

/** Whose line waits for others of this turn of the event loop. */
interface Kept {
  readonly bytes: number;
  readonly resolve: (kept: boolean) => void;
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
  readonly #reader = new SegmentReader();
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
      const named = segmentNamed(name);
      if (!named) continue;
      const { sequence } = named;
      const { size } = statSync(join(this.#folder, name));
      this.#closed.push({ ...named, bytes: size });
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
    const named = newSegment(this.#next++);
    const fd = openSync(join(this.#folder, named.name), 'wx', 0o600);
    return { ...named, bytes: 0, fd };
  }

  #close(): void {
    const segment = this.#active;
    if (!segment) return;
    this.#active = undefined;
    // A disk that is full may take no line and yet a file for each attempt.
    const { fd, ...closed } = segment;
    if (segment.bytes === 0) rmSync(join(this.#folder, segment.name), { force: true });
    else this.#closed.push(closed);
    fdatasync(fd, (error) => {
      if (error) this.#log.error({ err: error }, 'the prediction spool cannot be synced');
      closeSync(fd);
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

  /** The predictions of a closed segment, some or `much` at a time. One that somebody removed must not hold up those behind it. */
  async *read(sequence: number, much = false): AsyncGenerator<SpooledLines, void, undefined> {
    const segment = this.#closed.find((one) => one.sequence === sequence);
    if (!segment) return;
    try {
      yield* this.#reader.lines(join(this.#folder, segment.name), segment.form, much);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#log.error({ segment: sequence }, 'a segment of the prediction spool is gone');
    }
  }

  /** Forgets a segment whose rows are all recorded. */
  async remove(sequence: number): Promise<void> {
    const segment = this.#closed.find((one) => one.sequence === sequence);
    if (!segment) return;
    await rm(join(this.#folder, segment.name), { force: true });
    const index = this.#closed.indexOf(segment);
    if (index < 0) return;
    this.#bytes -= segment.bytes;
    this.#closed.splice(index, 1);
  }

  /** Stops the timer; what waits stays on disk. */
  close(): void {
    clearInterval(this.#timer);
    this.#flush();
    this.#close();
  }
}
