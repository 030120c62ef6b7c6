import { createHash } from 'node:crypto';
import { ulid } from 'ulid';
import type { Log } from '../activities/deps.ts';
import { expandUnits, specHash, type ExperimentSpec } from '../core/spec/index.ts';
import {
  createExperiment,
  endExperiment,
  getExperimentOrThrow,
  listExperiments,
  type Experiment,
} from '../registry/experiments.ts';
import { claimIdempotencyKey, storeIdempotentResponse } from '../registry/idempotency.ts';
import { inTransaction, type Db } from '../registry/in-transaction.ts';
import { workflowIds } from '../workflows/messages.ts';
import { ApiError } from './errors.ts';
import type { Orchestrator } from './orchestrator.ts';

export interface NewRun {
  readonly spec: ExperimentSpec;
  readonly actor: string;
  readonly requestId: string;
  readonly idempotencyKey: string | undefined;
  readonly route: string;
  /** What the caller sent; the same key with another body is refused. */
  readonly body: unknown;
}

/** Names of the models that a spec makes. */
export const modelsOf = (spec: ExperimentSpec): string[] =>
  expandUnits(spec).map((unit) => unit.model);

/**
 * Records an experiment and starts its workflow. Temporal is asked first: when it is away nothing is
 * written and the caller hears so. When it goes away in between, the row stays `queued` and the sweeper
 * starts it later; a repeat with the same Idempotency-Key gives the same id.
 */
export async function startRun(
  parts: { readonly db: Db; readonly orchestrator: Orchestrator; readonly log: Log },
  run: NewRun,
): Promise<Experiment> {
  await parts.orchestrator.ping();
  const id = await inTransaction(parts.db, async (trx) => {
    const key = run.idempotencyKey;
    const claim = { key: key ?? '', route: run.route, bodySha256: digestOf(run.body) };
    if (key !== undefined) {
      const claimed = await claimIdempotencyKey(trx, claim);
      if (claimed.kind === 'mismatch') throw keyReused();
      if (claimed.kind === 'repeat') return (claimed.response as { id: string }).id;
    }
    const experimentId = ulid();
    await createExperiment(trx, {
      id: experimentId,
      name: run.spec.name,
      model: run.spec.model,
      spec: run.spec,
      specHash: specHash(run.spec),
      workflowId: workflowIds.experiment(experimentId),
      actor: run.actor,
      requestId: run.requestId,
    });
    if (key !== undefined) await storeIdempotentResponse(trx, claim, { id: experimentId });
    return experimentId;
  });
  const experiment = await getExperimentOrThrow(parts.db, id);
  if (experiment.status !== 'queued') return experiment;
  try {
    await parts.orchestrator.startExperiment(id);
  } catch (error) {
    parts.log.warn({ err: error, experiment: id }, 'queued; it starts when Temporal is back');
  }
  return experiment;
}

export const digestOf = (body: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(body) ?? '')
    .digest('hex');

export const keyReused = (): ApiError =>
  new ApiError(
    'unprocessable',
    'idempotency.mismatch',
    'This Idempotency-Key was used with another body. Use a new key for a new request.',
  );

/** How often queued rows are looked at, and how old one must be before it counts as left behind. */
const SWEEP_MS = 5_000;
const LEFT_BEHIND_MS = 10_000;
/** Rows looked at in one sweep. */
const SWEEP_ROWS = 50;

/**
 * Starts experiments that were recorded but whose start did not reach Temporal. Starting twice is
 * harmless: the id names the workflow. A row whose workflow ended without ever opening it fails, so
 * that nobody waits for it.
 */
export class ExperimentSweeper {
  readonly #parts: { readonly db: Db; readonly orchestrator: Orchestrator; readonly log: Log };
  readonly #clock: () => number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;

  constructor(
    parts: { readonly db: Db; readonly orchestrator: Orchestrator; readonly log: Log },
    clock: () => number,
  ) {
    this.#parts = parts;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#sweeping) return;
      this.#sweeping = true;
      this.sweep()
        .catch((error: unknown) =>
          this.#parts.log.debug({ err: error }, 'queued experiments wait for their servers'),
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
    const { db, orchestrator, log } = this.#parts;
    const { items } = await listExperiments(db, { limit: SWEEP_ROWS, status: 'queued' });
    let started = 0;
    for (const row of items) {
      if (this.#clock() - row.created_at.getTime() < LEFT_BEHIND_MS) continue;
      if (await orchestrator.startExperiment(row.id)) {
        started++;
        log.info({ experiment: row.id }, 'started an experiment that was left queued');
      } else if ((await orchestrator.experimentState(row.id)) === 'ended') {
        const message = 'the workflow ended before the experiment began; start it again';
        await endExperiment(db, row.id, { status: 'failed', message });
      }
    }
    return started;
  }
}
