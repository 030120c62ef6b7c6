import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import type { Kysely } from 'kysely';
import { startStack, type Stack } from '../../infra/stack.ts';
import { openDatabase } from '../../registry/db.ts';
import type { Database } from '../../registry/tables.ts';
import { startApi, type ApiProcess } from '../support/api-process.ts';
import { crashSpec } from '../support/crash-product.ts';
import { insist } from '../support/crash-rounds.ts';
import { quantile, startLoad, type LoadAnswer } from '../support/prediction-load.ts';
import { productMissing, productOf, runCli, type Product } from '../support/product.ts';
import { rounds } from '../support/rounds.ts';
import { startServers, type ServerStacks } from '../support/server-stacks.ts';

const AWAY_S = rounds(5, 120);
/** Between one server and the next: the first one's clients find it again meanwhile. */
const BETWEEN_S = rounds(2, 15);
const CLIENTS = 6;
const PER_SECOND = 30;
const ANSWERED = 0.999;
const MODEL = 'crash';
const PATH = `/api/v1/ml-models/${MODEL}`;
const plain = crashSpec({ kind: 'shadow', maxDays: 60 });
/** It is not retrained within this test, whatever the date. */
const SPEC = {
  ...plain,
  data: { ...plain.data, asOf: '2024-01-05T23:00:00Z' },
  retrain: { maxAge: 2000 },
};

describe('servers away under load, while a trial runs', { skip: productMissing }, () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'ratchet-load-'));
  let servers: ServerStacks;
  let stack: Stack;
  let product: Product;
  let second: ApiProcess;
  let db: Kysely<Database>;
  let trialId = '';
  before(async () => {
    servers = await startServers();
    stack = await startStack({ stateDir, external: servers.external });
    product = productOf(stack, stateDir);
    for (const forceRetrain of [false, true]) {
      const end = await product.run({ ...SPEC, forceRetrain });
      assert.equal(end.status, 'completed', end.message);
    }
    db = openDatabase(stack.config.databaseUrl!, { max: 2 });
    trialId = (await runningTrial()).id;
    second = await startApi(stack);
    // Both replicas have the challenger: each answer has its shadow from here on.
    for (const url of [product.url, second.url]) {
      await product.until(`a shadow of ${url}`, async () => {
        const [first] = await loadFor(0, [url]);
        return (await shadowsOf([first!])) > 0 ? true : undefined;
      });
    }
  });
  after(async () => {
    await db.destroy();
    await second.end();
    await stack.stop();
    await servers.end();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const runningTrial = () =>
    db.selectFrom('trial').selectAll().where('status', '=', 'running').executeTakeFirstOrThrow();
  const target = (urls: readonly string[]) => ({
    ...{ urls, key: product.key, model: MODEL, instrument: 'SIM-A' },
  });
  const loadFor = async (seconds: number, urls: readonly string[]) => {
    const load = startLoad(target(urls), 1, PER_SECOND);
    await sleep(seconds * 1000);
    await load.stop();
    return load.answers;
  };
  const idsOf = (answers: readonly LoadAnswer[]): string[] =>
    answers.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const recordedOf = async (answers: readonly LoadAnswer[]): Promise<number> => {
    const ids = new Set(idsOf(answers));
    const rows = await db
      .selectFrom('prediction')
      .select('id')
      .where('role', '=', 'champion')
      .execute();
    return rows.filter(({ id }) => ids.has(id)).length;
  };
  const shadowsOf = async (answers: readonly LoadAnswer[]): Promise<number> => {
    const ids = new Set(idsOf(answers));
    const rows = await db
      .selectFrom('prediction')
      .select('pair_id')
      .where('role', '=', 'shadow')
      .where('error', 'is', null)
      .execute();
    return rows.filter(({ pair_id: id }) => id !== null && ids.has(id)).length;
  };
  /** Equal only while no process was replaced by another. */
  const processes = async () => ({
    own: stack.status().parts.map(({ name, pid, restarts }) => ({ name, pid, restarts })),
    second: second.pid(),
  });
  const untilRecorded = async (answers: readonly LoadAnswer[]): Promise<void> => {
    const wanted = idsOf(answers).length;
    await product.until(`${wanted} predictions in PostgreSQL`, async () =>
      (await recordedOf(answers)) === wanted ? true : undefined,
    );
    await product.until(`${wanted} shadows in PostgreSQL`, async () =>
      (await shadowsOf(answers)) === wanted ? true : undefined,
    );
  };
  const assertHealthy = async (): Promise<void> => {
    const { code, stdout } = await runCli(stateDir, ['doctor'], { ...servers.external.env });
    assert.equal(code, 0, stdout);
    assert.match(stdout, /every served model has its lifecycle/);
    assert.doesNotMatch(stdout, / !! /);
  };

  it(`each server away for ${AWAY_S} s: all is answered, and recorded in the end`, async (t) => {
    const before = await processes();
    const load = startLoad(target([product.url, second.url]), CLIENTS, PER_SECOND);
    try {
      for (const name of servers.names) {
        await servers.stop(name);
        await sleep(AWAY_S * 1000);
        await servers.start(name);
        await sleep(BETWEEN_S * 1000);
      }
    } finally {
      await load.stop();
    }
    const { answers } = load;
    const good = answers.filter(({ status, recorded }) => status === 200 && recorded);
    const ms = (share: number): string => quantile(answers, share).toFixed(0);
    t.diagnostic(
      `${answers.length} asked, ${good.length} answered and kept, p50 ${ms(0.5)} ms, p99 ${ms(0.99)} ms, ` +
        `longest ${ms(1)} ms; ${servers.names.join(', ')} away for ${AWAY_S} s each`,
    );
    assert.ok(answers.length > PER_SECOND * AWAY_S * servers.names.length * 0.9);
    assert.ok(good.length >= ANSWERED * answers.length, `${good.length} of ${answers.length}`);
    await untilRecorded(good);
    assert.deepEqual(await processes(), before, 'nothing was started again');
    assert.equal((await runningTrial()).id, trialId);
    await assertHealthy();
  });

  it('the worker away: ticks of the trial come late, and nothing is lost', async () => {
    const before = await processes();
    const worker = stack.status().parts.find(({ name }) => name === 'worker')!.pid!;
    const { last_as_of: lastAsOf } = await runningTrial();
    const answers: LoadAnswer[] = [];
    // The next session after the trial's own market time, which is that of its challenger's bars.
    const asOf = new Date(lastAsOf.getTime() + 86_400_000).toISOString();
    process.kill(worker, 'SIGSTOP');
    try {
      await insist(product, `${PATH}/settle`, { asOf }, 'while-away');
      answers.push(...(await loadFor(AWAY_S, [product.url, second.url])));
      assert.deepEqual((await runningTrial()).last_as_of, lastAsOf, 'nobody looked meanwhile');
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    await product.until('the late look', async () =>
      (await runningTrial()).last_as_of.toISOString() === asOf ? true : undefined,
    );
    assert.ok(answers.every(({ status }) => status === 200));
    await untilRecorded(answers);
    assert.deepEqual(await processes(), before);
    await assertHealthy();
  });
});
