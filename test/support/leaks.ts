/** What must not stand in logs and histories: the secrets of a state folder, and signs of a crash. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { readSecrets } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { parseKeyToken } from '../../registry/keys.ts';
import type { Stack } from '../../infra/stack.ts';

const CRASH =
  /unhandled ?rejection|uncaught ?exception|^panic:|^fatal error:|FATAL ERROR|segmentation fault/im;

/** Texts by which a leak would be found: the secret itself, not its name. */
export function secretsOf(stateDir: string): ReadonlyMap<string, string> {
  const layout = layoutOf(stateDir);
  const found = new Map(Object.entries(readSecrets(layout) ?? {}));
  // The access key names who signs, as a user name does; S3 requests carry it in the clear.
  found.delete('s3Access');
  const admin = readFileSync(join(layout.keys, 'admin.key'), 'utf8').trim();
  found.set('admin key', parseKeyToken(admin)!.secret);
  const signing = readFileSync(join(layout.keys, 'signing.pem'), 'utf8');
  found.set('signing key', signing.split('\n')[1]!);
  for (const [name, secret] of found) assert.ok(secret.length >= 16, `${name} is a secret`);
  return found;
}

/** Every log of a state folder by file name. */
export function logsOf(stateDir: string): ReadonlyMap<string, string> {
  const { logs } = layoutOf(stateDir);
  return new Map(readdirSync(logs).map((name) => [name, readFileSync(join(logs, name), 'utf8')]));
}

/** Every history of the stack's Temporal by workflow id, its payloads decoded to text. */
export async function historiesOf(stack: Stack): Promise<ReadonlyMap<string, string>> {
  const { address, namespace } = stack.config.temporal;
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection, namespace });
    const histories = new Map<string, string>();
    for await (const { workflowId, runId } of workflow.list()) {
      const history = await workflow.getHandle(workflowId, runId).fetchHistory();
      const text = JSON.stringify(history, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      );
      histories.set(`${workflowId} ${runId}`, text);
    }
    return histories;
  } finally {
    await connection.close();
  }
}

export function assertNoSecret(
  texts: ReadonlyMap<string, string>,
  secrets: ReadonlyMap<string, string>,
): void {
  for (const [where, text] of texts) {
    for (const [name, secret] of secrets) {
      assert.ok(!text.includes(secret), `the secret "${name}" stands in ${where}`);
    }
  }
}

export function assertNoCrash(logs: ReadonlyMap<string, string>): void {
  for (const [where, text] of logs) {
    const line = text.split('\n').find((one) => CRASH.test(one));
    assert.equal(line, undefined, `${where} tells of a crash`);
  }
}
