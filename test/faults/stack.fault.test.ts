import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../../api/cli/http.ts';
import { productMissing, runCli, smallSpec, until } from '../support/product.ts';

const EPOCHS = 30;

describe(
  'kill -9 of the whole stack in the middle of an experiment',
  { skip: productMissing },
  () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'ratchet-killed-'));
    let client: ApiClient;

    interface Status {
      readonly pid: number;
      readonly parts: readonly {
        readonly name: string;
        readonly pid: number;
        readonly url?: string;
      }[];
    }
    const up = async (): Promise<Status> => {
      const { code, stdout, stderr } = await runCli(stateDir, ['up', '--detach', '--json']);
      assert.equal(code, 0, stderr);
      const status = JSON.parse(stdout) as Status;
      const url = status.parts.find((part) => part.name === 'api')!.url!;
      const key = readFileSync(join(stateDir, 'keys/admin.key'), 'utf8').trim();
      client = new ApiClient({ url, key }, AbortSignal.timeout(600_000));
      return status;
    };
    const get = (path: string) => client.json('GET', path);

    let first: Status;
    before(async () => {
      first = await up();
    });
    after(async () => {
      await runCli(stateDir, ['down']);
      rmSync(stateDir, { recursive: true, force: true });
    });

    it('is completed after `up`, with exactly one version', async () => {
      const hyperparameters = {
        ...smallSpec.hyperparameters,
        epochs: EPOCHS,
        earlyStopping: { patience: EPOCHS },
      };
      const started = await client.json('POST', '/api/v1/experiments', {
        body: { ...smallSpec, hyperparameters },
        headers: { 'idempotency-key': 'kill-the-stack' },
      });
      const path = `/api/v1/experiments/${String(started['id'])}`;
      await until('the first epoch', async () => {
        const { items } = await get(`${path}/events?limit=500`);
        return (items as { kind: string }[]).some(({ kind }) => kind === 'epoch') || undefined;
      });
      // The supervisor first: nobody may clean up in order.
      for (const pid of [first.pid, ...first.parts.map((part) => part.pid)]) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Its parent's end took it along: just as dead.
        }
      }
      await up();
      const end = await until('the end', async () => {
        const experiment = await get(path);
        return experiment['status'] === 'running' ? undefined : experiment;
      });
      assert.equal(end['status'], 'completed', String(end['message']));
      const { items } = await get('/api/v1/ml-models/small/versions');
      assert.equal((items as unknown[]).length, 1);
      const champion = await get('/api/v1/ml-models/small/champion');
      assert.equal((champion['champion'] as { version: number }).version, 1);
      assert.equal((champion['history'] as unknown[]).length, 1);
    });
  },
);
