import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Kysely } from 'kysely';
import { createCollectActivities } from '../../activities/collect.ts';
import type { CollectResult, ValidateResult } from '../../activities/contracts.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { createValidateActivities } from '../../activities/validate.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { experimentEvents } from '../../registry/experiments.ts';
import type { Database } from '../../registry/tables.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import type { ChartServer } from './chart-server.ts';
import { openTestDatabase } from './postgres.ts';
import { addExperiment, testSpec } from './registry-facts.ts';
import { noWebhooks } from './no-webhooks.ts';

/** Wall time of the tests: after the close of Friday 2024-06-28. */
export const COLLECT_NOW = Date.parse('2024-06-29T00:00:00Z');

/** Sessions of June 2024 up to and including the 28th. */
export const june = ['24', '25', '26', '27', '28'].map((day, i) => ({
  at: `2024-06-${day}T13:30:00Z`,
  close: 100 + i,
}));

/** A dataset that a played chart server delivers. */
export const chart = (name: string, server: ChartServer | string): NamedDataset => {
  const url = typeof server === 'string' ? server : server.url;
  return {
    name,
    source: 'yahoo',
    params: { baseUrl: url, attempts: 1 },
    hosts: [new URL(url).host],
    calendar: 'nyse',
  };
};

export interface CollectSetup {
  readonly datasets?: readonly NamedDataset[];
  now?: number;
}

export interface SpecData {
  readonly sources: readonly { dataset: string; role?: string }[];
  readonly instruments?: readonly unknown[];
  readonly [key: string]: unknown;
}

export interface Collected {
  readonly id: string;
  readonly collected: CollectResult[];
  readonly validation: () => Promise<ValidateResult>;
}

export interface CollectFixture {
  readonly db: Kysely<Database>;
  /** Of this fixture alone. */
  readonly folder: string;
  depsOf(setup?: CollectSetup): ActivityDeps;
  /** Runs collection of every instrument, then validation, as the workflow does. */
  run(deps: ActivityDeps, data: SpecData, change?: Record<string, unknown>): Promise<Collected>;
  close(): Promise<void>;
}

/** Expected failures need not be logged. */
const environment = (): MockActivityEnvironment =>
  new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

/** A real database and artifact store around collection and validation. */
export async function openCollectFixture(): Promise<CollectFixture> {
  const database = await openTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-collect-'));
  const bundled = await loadDatasets({ dataDir: undefined }, undefined);
  const unused = (): never => assert.fail('not part of collecting');
  const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  let experiments = 0;
  return {
    db: database.db,
    folder,
    depsOf: (setup = {}) => ({
      db: database.db,
      artifacts: openDirectoryStore(join(folder, 'artifacts')),
      datasets: new Map([...bundled, ...(setup.datasets ?? []).map((d) => [d.name, d] as const)]),
      sourceContext: createSourceContext,
      trainer: { train: unused },
      sign: unused,
      trustedKeys: [],
      webhooks: noWebhooks,
      events: experimentEvents(database.db),
      clock: () => setup.now ?? COLLECT_NOW,
      codeVersion: 'test',
      log,
    }),
    async run(deps, data, change = {}) {
      const spec = testSpec({ ...change, data: { instruments: ['^GSPC'], ...data } });
      const id = await addExperiment(database.db, ++experiments, spec);
      const { collect } = createCollectActivities(deps);
      const collected: CollectResult[] = [];
      for (const { id: instrument } of spec.data.instruments) {
        const input = { experimentId: id, instrument };
        collected.push(await environment().run(collect, input));
      }
      const { validate } = createValidateActivities(deps);
      const input = { experimentId: id, datasets: collected };
      const validation = async (): Promise<ValidateResult> =>
        await environment().run(validate, input);
      return { id, collected, validation };
    },
    async close() {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}
