import { CorruptBytesError, decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import type { EpochEvent, FitContext, FitSummary } from '../model.ts';

const KIND = 'ensemble-checkpoint';
const VERSION = 1;

/** What a piece of work leaves: bytes that stand for it, and what it says of its training. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly summary: Pick<FitSummary, 'epochsRun'>;
}

interface Done {
  readonly stage: string;
  readonly epochs: number;
}

interface Meta {
  readonly fingerprint: string;
  readonly done: readonly Done[];
  readonly history: readonly EpochEvent[];
}

/**
 * The fits of an ensemble, one after the other: epochs go on counting, progress says which, and a checkpoint holds the
 * results of those that are finished and the checkpoint of the one under way.
 */
export class EnsembleCourse {
  readonly #ctx: FitContext;
  readonly #fingerprint: string;
  readonly #done: (Done & { readonly bytes: Uint8Array })[];
  readonly #history: EpochEvent[];
  /** Number of pieces that a checkpoint brought; `current` is of the one after them. */
  readonly #resumed: number;
  #current: Uint8Array | undefined;
  #at = 0;
  #epochs = 0;

  private constructor(
    ctx: FitContext,
    fingerprint: string,
    state: { done: (Done & { bytes: Uint8Array })[]; history: EpochEvent[]; current?: Uint8Array },
  ) {
    this.#ctx = ctx;
    this.#fingerprint = fingerprint;
    this.#done = state.done;
    this.#history = state.history;
    this.#current = state.current;
    this.#resumed = state.done.length;
  }

  /** Goes on from the newest checkpoint, if there is one. Throws `bytes.corrupt` for that of another fit. */
  static async open(ctx: FitContext, fingerprint: string): Promise<EnsembleCourse> {
    const bytes = await ctx.loadCheckpoint();
    if (!bytes) return new EnsembleCourse(ctx, fingerprint, { done: [], history: [] });
    const file = decodeSections(bytes, KIND, VERSION);
    const meta = file.meta as Meta;
    if (meta.fingerprint !== fingerprint) throw new CorruptBytesError(KIND, 'of another fit');
    const done = meta.done.map((own, i) => ({
      ...own,
      bytes: sectionOrThrow(file, `done${i}`, Uint8Array),
    }));
    const current = file.sections['current'];
    return new EnsembleCourse(ctx, fingerprint, {
      done,
      history: [...meta.history],
      ...(current instanceof Uint8Array ? { current } : {}),
    });
  }

  /** All epochs told so far, of all pieces. */
  get history(): readonly EpochEvent[] {
    return this.#history;
  }

  get epochs(): number {
    return this.#epochs;
  }

  /** The next piece of work, or what a checkpoint says that it gave. */
  async run(stage: string, work: (ctx: FitContext) => Promise<Piece>): Promise<Uint8Array> {
    const place = this.#at++;
    const known = this.#done[place];
    if (known) {
      this.#epochs += known.epochs;
      return known.bytes;
    }
    this.#ctx.signal.throwIfAborted();
    const after = this.#epochs;
    const { bytes, summary } = await work(this.#contextOf(stage, place, after));
    this.#epochs = after + summary.epochsRun;
    this.#done.push({ stage, epochs: summary.epochsRun, bytes });
    this.#current = undefined;
    await this.#save({ epoch: this.#epochs + 1, batch: 0 });
    return bytes;
  }

  #contextOf(stage: string, place: number, after: number): FitContext {
    const ctx = this.#ctx;
    return {
      ...ctx,
      onEpoch: (event) => {
        const told = {
          ...event,
          stage: event.stage === undefined ? stage : `${stage}, ${event.stage}`,
          epoch: after + event.epoch,
          epochs: after + event.epochs,
        };
        this.#history.push(told);
        ctx.onEpoch(told);
      },
      onBatch: (at) => ctx.onBatch({ ...at, epoch: after + at.epoch }),
      loadCheckpoint: async () => (place === this.#resumed ? this.#current : undefined),
      saveCheckpoint: (bytes, at) => {
        this.#current = bytes;
        return this.#save({ ...at, epoch: after + at.epoch });
      },
    };
  }

  #save(at: { epoch: number; batch: number }): Promise<void> {
    const done = this.#done.map(({ stage, epochs }) => ({ stage, epochs }));
    const meta: Meta = { fingerprint: this.#fingerprint, done, history: this.#history };
    const sections = {
      ...Object.fromEntries(this.#done.map(({ bytes }, i) => [`done${i}`, bytes])),
      ...(this.#current ? { current: this.#current } : {}),
    };
    const bytes = encodeSections({ kind: KIND, version: VERSION, meta, sections });
    return this.#ctx.saveCheckpoint(bytes, at);
  }
}
