/** What a mistake on the command line is, and what stands when it is made. */
import assert from 'node:assert/strict';
import type { ExitCode } from '../../api/cli/output.ts';
import { smallSpec, type Product } from './product.ts';

/** What stands when a mistake is made: a model with a champion, a model without, an ended experiment. */
export interface MistakeWorld {
  readonly product: Product;
  /** Of the test's own, for files. */
  readonly folder: string;
  readonly experimentId: string;
}

export interface CliMistake {
  readonly what: string;
  readonly args: (world: MistakeWorld) => readonly string[] | Promise<readonly string[]>;
  readonly env?: (world: MistakeWorld) => Promise<Record<string, string>>;
  readonly code: ExitCode;
  /** All of these stand on stderr. */
  readonly says: readonly RegExp[];
}

export const MODEL = 'quick';

/** The fastest way to a champion. */
export const quickSpec = {
  ...smallSpec,
  name: MODEL,
  model: MODEL,
  family: 'ridge',
  hyperparameters: {},
};

export async function makeKey({ product }: MistakeWorld, body: object): Promise<string> {
  const made = await product.request('POST', '/api/v1/keys', { name: 'mistake', ...body });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return String(made.body['token']);
}

export async function revokedKey(world: MistakeWorld): Promise<string> {
  const key = await makeKey(world, { scopes: ['read'] });
  const id = key.split('_')[1]!;
  const gone = await world.product.request('DELETE', `/api/v1/keys/${id}`);
  assert.equal(gone.status, 204);
  return key;
}
