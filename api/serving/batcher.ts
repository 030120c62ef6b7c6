import {
  forecastValues,
  type OpenedPackage,
  type PredictionWindow,
} from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';

/** Windows of one ONNX run: 32 take 1.9 ms together and 5.2 ms one by one; more only wait longer. */
const MAX_BATCH = 32;
/** Windows that may wait; beyond, the caller is told to come again. */
const MAX_WAITING = 1_024;

interface Waiting {
  readonly window: PredictionWindow;
  readonly resolve: (values: Float64Array) => void;
  readonly reject: (error: unknown) => void;
  /** Somebody waits for nothing else. */
  isNeeded: boolean;
}

/**
 * Where the windows of a run are laid side by side. One room for all packages: a run is over before the next one begins, but
 * for those of two packages at once, of which the second makes its own.
 */
class Room {
  #free: Float64Array | undefined = new Float64Array(0);

  take(size: number): Float64Array {
    const free = this.#free;
    this.#free = undefined;
    return free && free.length >= size ? free : new Float64Array(size);
  }

  giveBack(room: Float64Array): void {
    if (room.length <= MAX_ROOM) this.#free = room;
  }
}

/** Numbers that stay allocated: 32 windows of 60 x 152 are 2.3 MB. */
const MAX_ROOM = 512 * 1_024;
const shared = new Room();

/** Joins the windows that wait for one package into one run of the network. */
export class Batcher {
  readonly #pkg: OpenedPackage;
  readonly #onBatch: (windows: number) => void;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(pkg: OpenedPackage, onBatch: (windows: number) => void) {
    this.#pkg = pkg;
    this.#onBatch = onBatch;
  }

  /**
   * Forecast of one window in learnt label units [horizons]. With `beside` nobody needs it before that is there: until then
   * the window waits for others that it can share a run with; and nobody at all needs it where that fails, which is then
   * its failure too.
   */
  forecast(window: PredictionWindow, beside?: Promise<unknown>): Promise<Float64Array> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new ApiError('unavailable', 'predict.overloaded', 'Too many predictions wait.', {
          retryAfterS: 1,
        });
      }
      const waiting: Waiting = { window, resolve, reject, isNeeded: false };
      this.#waiting.push(waiting);
      const begin = (): void => this.#begin(waiting);
      if (beside) beside.then(begin, (error: unknown) => this.#forget(waiting, error));
      else begin();
    });
  }

  /** Whatever else arrived until the end of this turn of the event loop joins the run; it may be in one already. */
  #begin(one: Waiting): void {
    one.isNeeded = true;
    if (this.#running || !this.#waiting.includes(one)) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  /** One that is in a run already gets that one's answer. */
  #forget(one: Waiting, error: unknown): void {
    const at = this.#waiting.indexOf(one);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    one.reject(error);
  }

  /** Those that are needed, and, where they leave room, others. */
  #next(): readonly Waiting[] {
    const needed = this.#waiting.filter(({ isNeeded }) => isNeeded);
    const others = this.#waiting.filter(({ isNeeded }) => !isNeeded);
    const inOrder = [...needed, ...others];
    this.#waiting = inOrder.slice(MAX_BATCH);
    return inOrder.slice(0, MAX_BATCH);
  }

  async #run(): Promise<void> {
    while (this.#waiting.some(({ isNeeded }) => isNeeded)) {
      const batch = this.#next();
      this.#onBatch(batch.length);
      await this.#answer(batch);
    }
    this.#running = false;
  }

  async #answer(batch: readonly Waiting[]): Promise<void> {
    const windows = batch.map(({ window }) => window);
    const size = windows.length > 1 ? windows.length * windows[0]!.values.length : 0;
    const room = shared.take(size);
    try {
      const values = await forecastValues(this.#pkg, windows, room);
      const width = values.length / batch.length;
      batch.forEach(({ resolve }, i) => resolve(values.slice(i * width, (i + 1) * width)));
    } catch (error) {
      // One bad window must not take the others with it.
      if (batch.length > 1) for (const one of batch) await this.#answer([one]);
      else batch[0]!.reject(error);
    } finally {
      shared.giveBack(room);
    }
  }
}
