import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startStack } from '../../infra/stack.ts';
import type { Stack, StackPart } from '../../infra/stack.ts';
import { openDatabase } from '../../registry/db.ts';
import { startApi } from '../support/api-process.ts';
import type { ApiProcess } from '../support/api-process.ts';
import { productMissing, productOf, smallSpec } from '../support/product.ts';

const PARTS: readonly StackPart[] = ['postgres', 'temporal', 's3', 'mlflow', 'workers', 'api'];
const WITHOUT_API = PARTS.filter((part) => part !== 'api');
const WHILE_AWAY = 50;

describe(
  'predict with Temporal, MLflow, S3 and PostgreSQL stopped',
  { skip: productMissing },
  () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'ratchet-outage-'));
    let stack: Stack;
    let api: ApiProcess;
    let key = '';
    before(async () => {
      stack = await startStack({ stateDir, parts: PARTS });
      const product = productOf(stack, stateDir);
      key = product.key;
      const end = await product.run(smallSpec);
      assert.equal(end.status, 'completed', end.message);
      api = await startApi(stack);
      await product.until('the second replica to serve', async () =>
        (await predict()).status === 200 ? true : undefined,
      );
    });
    after(async () => {
      await api.end();
      await stack.stop();
      rmSync(stateDir, { recursive: true, force: true });
    });

    interface Prediction {
      readonly status: number;
      readonly id: string;
      readonly version: number;
      readonly recorded: boolean;
    }
    const predict = async (): Promise<Prediction> => {
      const response = await fetch(`${api.url}/api/v1/ml-models/small/predict`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ instrument: '^GSPC' }),
      });
      return { ...((await response.json()) as Prediction), status: response.status };
    };
    const ready = async (): Promise<string> => (await fetch(`${api.url}/readyz`)).text();

    const ids: string[] = [];
    const predictMany = async (): Promise<void> => {
      for (let k = 0; k < WHILE_AWAY; k++) {
        const answer = await predict();
        assert.equal(answer.status, 200, JSON.stringify(answer));
        assert.equal(answer.version, 1);
        assert.equal(answer.recorded, true);
        ids.push(answer.id);
      }
    };

    it('answers with every server gone', async () => {
      await stack.stop();
      await predictMany();
      assert.match(await ready(), /postgres|database/i);
    });

    it('answers after a cold start with every server gone, from its own disk', async () => {
      const { port } = api;
      await api.end();
      api = await startApi(stack, port);
      await predictMany();
    });

    it('records every one of them when the servers are back, without a restart', async () => {
      stack = await startStack({ stateDir, parts: WITHOUT_API });
      const db = openDatabase(stack.config.databaseUrl!);
      try {
        const product = productOf(stack, stateDir);
        await product.until('all predictions in the registry', async () => {
          const rows = await db
            .selectFrom('prediction')
            .select('id')
            .where('id', 'in', ids)
            .execute();
          return rows.length === ids.length ? true : undefined;
        });
      } finally {
        await db.destroy();
      }
    });
  },
);
