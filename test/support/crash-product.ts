/** A product with one small model, whose life can be led by market time and interrupted. */
import assert from 'node:assert/strict';
import { Client, Connection } from '@temporalio/client';
import { watchOf } from '../../activities/schedules.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { openDatabase } from '../../registry/db.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import { readLedger, type Ledger } from './crash-ledger.ts';
import { openCrashPoints } from './crash-points.ts';
import { insist, type Life } from './crash-rounds.ts';
import { startProduct, until } from './product.ts';

const MODEL = 'crash';
const PATH = `/api/v1/ml-models/${MODEL}`;
const INSTRUMENT = 'SIM-A';
const DAY_MS = 86_400_000;
/** Last day that the first version knows. */
const BEGIN = Date.parse('2015-01-05T23:00:00Z');
/** Sessions between retrains; fewer than between two rounds, more than a round takes. */
const EVERY = 10;
const ROUND_DAYS = 21;

/** A ridge on three years of simulated days: seconds a version. */
export const crashSpec = (trial: object) => ({
  name: MODEL,
  model: MODEL,
  data: {
    sources: [{ dataset: 'simulated-momentum', role: 'primary' }],
    instruments: [INSTRUMENT],
    timeframe: '1d',
    asOf: new Date(BEGIN).toISOString(),
  },
  features: 'technical-152',
  lookback: 1,
  label: { kind: 'forwardLogReturn', horizons: [1] },
  split: { kind: 'recent', trainBars: 500, validBars: 120, testBars: 250 },
  refit: 'all',
  scaling: { features: 'standard', labels: 'standard' },
  family: 'ridge',
  seeds: [1],
  baselines: ['naive'],
  confidence: { method: 'none' },
  promotion: { policy: 'beats-champion', trial },
  retrain: { every: EVERY, cooldown: 1, maxAge: 2000, budgetMinutes: 1440 },
  monitor: { schedule: 'off' },
});

export interface CrashProduct extends Omit<Life, 'live'> {
  /** Market time of a round, ISO; `days` after its beginning. */
  asOf(round: number, days?: number): string;
  /** Waits until the ledger counts `n` more of `what` than it did in `before`. */
  untilMore(before: Ledger, what: string, n?: number): Promise<void>;
  ledger(): Promise<Ledger>;
  end(): Promise<void>;
}

/** Starts the product and trains the first version, which serves then. */
export async function openCrashProduct(spec: object): Promise<CrashProduct> {
  const product = await startProduct();
  const { config } = product.stack;
  const url = config.databaseUrl!;
  const made = await product.run(spec);
  assert.equal(made.status, 'completed', made.message);
  const db = openDatabase(url, { max: 2 });
  const { address, namespace } = config.temporal;
  const connection = await Connection.connect({ address });
  const watched = {
    db,
    artifacts: openArtifactStore(config),
    datasets: await loadDatasets(config),
    sourceContext: createSourceContext,
    clock: () => Date.now(),
  };
  const points = await openCrashPoints(url);
  const ledger = (): Promise<Ledger> => readLedger(url);
  return {
    ...{ product, model: MODEL, instrument: INSTRUMENT, points, ledger },
    parts: {
      db,
      client: new Client({ connection, namespace }),
      watchOf: (model) => watchOf(watched, model),
    },
    asOf: (round, days = 0) =>
      new Date(BEGIN + ((round + 1) * ROUND_DAYS + days) * DAY_MS).toISOString(),
    async untilMore(before, what, n = 1) {
      await until(`${n} more of ${what}`, async () =>
        ((await ledger())[what] ?? 0) === (before[what] ?? 0) + n ? true : undefined,
      );
    },
    async end() {
      await points.close();
      await db.destroy();
      await connection.close();
      await product.end();
    },
  };
}

const settle = ({ product }: CrashProduct, asOf: string) =>
  insist(product, `${PATH}/settle`, { asOf }, `settle-${asOf}`);

/** A retrain by cadence, its shadow trial, and the trial's end for want of rows. */
export async function shadowRound(opened: CrashProduct, round: number): Promise<void> {
  const start = await opened.ledger();
  await settle(opened, opened.asOf(round));
  await opened.untilMore(start, 'event retrain.finished');
  await opened.untilMore(start, 'event trial.started');
  await settle(opened, opened.asOf(round, 5));
  await opened.untilMore(start, 'event trial.ended');
}

/** A retrain by cadence, its trial, a person's approval, and the promotion of the new version. */
export async function approvedRound(opened: CrashProduct, round: number): Promise<void> {
  const start = await opened.ledger();
  await settle(opened, opened.asOf(round));
  await opened.untilMore(start, 'event retrain.finished');
  await opened.untilMore(start, 'event trial.started');
  await insist(opened.product, `${PATH}/approve`, { reason: 'it may' }, `approve-${round}`);
  await opened.untilMore(start, 'event trial.ended');
}

/** The version that does not serve is promoted, by an order whose schedules were lost before. */
export async function promotedRound(opened: CrashProduct, round: number): Promise<void> {
  const { product, parts } = opened;
  const start = await opened.ledger();
  const version = ((start['generations'] ?? 0) % 2) + 1;
  for (const id of [`settle/${MODEL}`, `monitor/${MODEL}`, `parity/${MODEL}`]) {
    await parts.client.schedule
      .getHandle(id)
      .delete()
      .catch(() => undefined);
  }
  await insist(product, `${PATH}/promote`, { version }, `promote-${round}`);
  await opened.untilMore(start, 'champion');
}
