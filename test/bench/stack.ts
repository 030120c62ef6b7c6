/**
 * The running product that measures share: opened by the first that asks for it, ended after the last one. Measures of how a
 * stack starts, or of another make-up of processes, open their own.
 */
import assert from 'node:assert/strict';
import { Client, Connection } from '@temporalio/client';
import type { Kysely } from 'kysely';
import { openDatabase } from '../../registry/db.ts';
import type { Database } from '../../registry/tables.ts';
import type { StackPart } from '../../infra/stack.ts';
import { startProduct, type ExperimentEnd, type Product } from '../support/product.ts';

export interface BenchStack extends Product {
  readonly db: Kysely<Database>;
  readonly temporal: Client;
  /** Runs an experiment to its end; throws what it failed with. */
  complete(spec: object): Promise<ExperimentEnd>;
}

/** Starts a product of the measure's own, with the mirror ready where it has one: its start takes a core for seconds. */
export async function openStack(parts?: readonly StackPart[]): Promise<BenchStack> {
  const product = await startProduct(parts);
  const { config } = product.stack;
  const { address, namespace } = config.temporal;
  const connection = await Connection.connect({ address });
  const db = openDatabase(config.databaseUrl!, { max: 2 });
  await product.until('every part to answer', async () =>
    product.stack.status().parts.every(({ state }) => state === 'ready') ? true : undefined,
  );
  return {
    ...product,
    db,
    temporal: new Client({ connection, namespace }),
    async complete(spec) {
      const end = await product.run(spec);
      assert.equal(end.status, 'completed', end.message);
      return end;
    },
    async end() {
      await db.destroy();
      await connection.close();
      await product.end();
    },
  };
}

let shared: Promise<BenchStack> | undefined;

export const sharedStack = (): Promise<BenchStack> => (shared ??= openStack());

/** Ends the shared stack, if any measure asked for it. */
export async function closeSharedStack(): Promise<void> {
  const opened = shared;
  shared = undefined;
  await (await opened)?.end();
}

/** Ends a model: what serves it drops it, and the next round begins without it. */
export async function retire({ request }: Product, model: string): Promise<void> {
  const { status, body } = await request('DELETE', `/api/v1/ml-models/${model}?force=true`);
  assert.ok(status < 300, JSON.stringify(body));
}
