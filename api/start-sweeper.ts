import type { Log } from '../activities/deps.ts';
import { endBacktest, listBacktests } from '../registry/backtests.ts';
import { endEvaluation, queuedEvaluations } from '../registry/evaluations.ts';
import { endExperiment, listExperiments } from '../registry/experiments.ts';
import type { Db } from '../registry/in-transaction.ts';
import type { Orchestrator, WorkflowState } from './orchestrator.ts';

/** How often queued rows are looked at, and how old one must be before it counts as left behind. */
const SWEEP_MS = 5_000;
const LEFT_BEHIND_MS = 10_000;
/** Rows looked at in one sweep. */
const SWEEP_ROWS = 50;

interface Parts {
  readonly db: Db;
  readonly orchestrator: Orchestrator;
  readonly log: Log;
}

/** A kind of row that names a workflow. */
interface Kind {
  readonly name: string;
  /** Ids of rows that no workflow has begun, made before `before`. */
  readonly queued: (before: Date) => Promise<readonly string[]>;
  readonly start: (id: string) => Promise<boolean>;
  readonly state: (id: string) => Promise<WorkflowState>;
  readonly fail: (id: string, message: string) => Promise<unknown>;
}

const kindsOf = ({ db, orchestrator }: Parts): readonly Kind[] => [
  {
    name: 'experiment',
    queued: async (before) => {
      const { items } = await listExperiments(db, { limit: SWEEP_ROWS, status: 'queued' });
      return items.filter((row) => row.created_at < before).map(({ id }) => id);
    },
    start: (id) => orchestrator.startExperiment(id),
    state: (id) => orchestrator.experimentState(id),
    fail: (id, message) => endExperiment(db, id, { status: 'failed', message }),
  },
  {
    name: 'backtest',
    queued: async (before) => {
      const rows = await listBacktests(db, { limit: SWEEP_ROWS, status: 'queued' });
      return rows.filter((row) => row.created_at < before).map(({ id }) => id);
    },
    start: (id) => orchestrator.startBacktest(id),
    state: (id) => orchestrator.backtestState(id),
    fail: (id, message) => endBacktest(db, id, { status: 'failed', message }),
  },
  {
    name: 'evaluation',
    queued: (before) => queuedEvaluations(db, before, SWEEP_ROWS),
    start: (id) => orchestrator.startEvaluation(id),
    state: (id) => orchestrator.evaluationState(id),
    fail: (id, message) => endEvaluation(db, id, { status: 'failed', message }),
  },
];

/**
 * Starts what was recorded but whose start did not reach Temporal. Starting twice is harmless: the id names the
 * workflow. A row whose workflow ended without ever opening it fails, so that nobody waits for it.
 */
export class StartSweeper {
  readonly #kinds: readonly Kind[];
  readonly #log: Log;
  readonly #clock: () => number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;

  constructor(parts: Parts, clock: () => number) {
    this.#kinds = kindsOf(parts);
    this.#log = parts.log;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#sweeping) return;
      this.#sweeping = true;
      this.sweep()
        .catch((error: unknown) =>
          this.#log.debug({ err: error }, 'what is queued waits for its servers'),
        )
        .finally(() => (this.#sweeping = false));
    }, SWEEP_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look at what is queued; returns how many were started. */
  async sweep(): Promise<number> {
    const before = new Date(this.#clock() - LEFT_BEHIND_MS);
    let started = 0;
    for (const { name, queued, start, state, fail } of this.#kinds) {
      for (const id of await queued(before)) {
        if (await start(id)) {
          started++;
          this.#log.info({ [name]: id }, 'started what was left queued');
        } else if ((await state(id)) === 'ended') {
          await fail(id, `the workflow ended before the ${name} began; start it again`);
        }
      }
    }
    return started;
  }
}
