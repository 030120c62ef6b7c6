import type { Log } from '../activities/deps.ts';
import { endBacktest } from '../registry/backtests.ts';
import { endBatchPrediction } from '../registry/batch-predictions.ts';
import { endEvaluation } from '../registry/evaluations.ts';
import { endExperiment } from '../registry/experiments.ts';
import type { Db } from '../registry/in-transaction.ts';
import { endParity, parityReportOrThrow } from '../registry/parity.ts';
import { leftOpen, type OpenRuns } from '../registry/left-open.ts';
import type { Orchestrator, WorkflowState } from './orchestrator.ts';

/** How often rows are looked at, and how old a queued one must be before it counts as left behind. */
const SWEEP_MS = 5_000;
const LEFT_BEHIND_MS = 10_000;
/** How often running rows are looked at, and how old one must be. */
const RUNNING_MS = 120_000;
/** Queued rows looked at in one sweep, and running ones. */
const SWEEP_ROWS = 50;
const RUNNING_ROWS = 500;

interface Parts {
  readonly db: Db;
  readonly orchestrator: Orchestrator;
  readonly log: Log;
}

/** A kind of row that names a workflow. */
interface Kind {
  readonly name: string;
  readonly table: OpenRuns['table'];
  readonly start: (id: string) => Promise<boolean>;
  readonly state: (id: string) => Promise<WorkflowState>;
  readonly fail: (id: string, message: string) => Promise<unknown>;
}

const kindsOf = ({ db, orchestrator }: Parts): readonly Kind[] => [
  {
    ...{ name: 'experiment', table: 'experiment' },
    start: (id) => orchestrator.startExperiment(id),
    state: (id) => orchestrator.experimentState(id),
    fail: (id, message) => endExperiment(db, id, { status: 'failed', message }),
  },
  {
    ...{ name: 'backtest', table: 'backtest' },
    start: (id) => orchestrator.startBacktest(id),
    state: (id) => orchestrator.backtestState(id),
    fail: (id, message) => endBacktest(db, id, { status: 'failed', message }),
  },
  {
    ...{ name: 'batch prediction', table: 'batch_prediction' },
    start: (id) => orchestrator.startBatchPrediction(id),
    state: (id) => orchestrator.batchPredictionState(id),
    fail: (id, message) => endBatchPrediction(db, id, { status: 'failed', message }),
  },
  {
    ...{ name: 'evaluation', table: 'version_evaluation' },
    start: (id) => orchestrator.startEvaluation(id),
    state: (id) => orchestrator.evaluationState(id),
    fail: (id, message) => endEvaluation(db, id, { status: 'failed', message }),
  },
  {
    ...{ name: 'parity report', table: 'parity_report' },
    // That of a slot was written by its workflow, which a Schedule started.
    start: async (id) => {
      const { model, slot } = await parityReportOrThrow(db, id);
      return slot === null && orchestrator.startParity(model, id);
    },
    state: async (id) => orchestrator.parityState(await parityReportOrThrow(db, id)),
    fail: (id, message) => endParity(db, id, { status: 'failed', message }),
  },
];

/**
 * Starts what was recorded but whose start did not reach Temporal. Starting twice is harmless: the id names the
 * workflow. A row whose workflow ended without ending it, or is not known to Temporal any more, fails, so that nobody
 * waits for it.
 */
export class StartSweeper {
  readonly #db: Db;
  readonly #kinds: readonly Kind[];
  readonly #log: Log;
  readonly #clock: () => number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;
  /** When running rows were looked at last. */
  #lookedAt = -Infinity;

  constructor(parts: Parts, clock: () => number) {
    this.#db = parts.db;
    this.#kinds = kindsOf(parts);
    this.#log = parts.log;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#sweeping) return;
      this.#sweeping = true;
      void this.sweep().finally(() => (this.#sweeping = false));
    }, SWEEP_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look at what has not ended; returns how many were started. What stops one kind stops no other. */
  async sweep(): Promise<number> {
    const now = this.#clock();
    const looks = now - this.#lookedAt >= RUNNING_MS;
    if (looks) this.#lookedAt = now;
    let started = 0;
    for (const kind of this.#kinds) {
      try {
        started += await this.#startQueued(kind, new Date(now - LEFT_BEHIND_MS));
        if (looks) await this.#failLost(kind, new Date(now - RUNNING_MS));
      } catch (error) {
        this.#log.debug({ err: error, kind: kind.name }, 'what is open waits for its servers');
      }
    }
    return started;
  }

  async #startQueued({ name, table, start, state, fail }: Kind, before: Date): Promise<number> {
    let started = 0;
    const open = { table, status: 'queued', before, limit: SWEEP_ROWS } as const;
    for (const id of await leftOpen(this.#db, open)) {
      if (await start(id)) {
        started++;
        this.#log.info({ [name]: id }, 'started what was left queued');
      } else if ((await state(id)) === 'ended') {
        await fail(id, `the workflow ended before the ${name} began; start it again`);
      }
    }
    return started;
  }

  /** A workflow writes how its row ended before it ends itself: one that is gone will not write it any more. */
  async #failLost({ name, table, state, fail }: Kind, before: Date): Promise<void> {
    const open = { table, status: 'running', before, limit: RUNNING_ROWS } as const;
    for (const id of await leftOpen(this.#db, open)) {
      const found = await state(id);
      if (found === 'running') continue;
      const how =
        found === 'ended' ? 'ended without a result' : 'is not known to Temporal any more';
      await fail(id, `the workflow ${how}; start it again`);
      this.#log.warn({ [name]: id, workflow: found }, 'failed what nothing runs any more');
    }
  }
}
