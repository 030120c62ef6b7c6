import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Context } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Asking, modelsOrThrow, type Question } from '../../activities/asking.ts';
import type { AskedModels } from '../../activities/deps.ts';
import type { ExchangeOutcome, ExchangeRecord } from '../../core/advice/index.ts';
import { factsWith } from '../support/advice-facts.ts';

const questions: readonly Question[] = Array.from({ length: 40 }, (_, i) => ({
  key: String(i),
  facts: factsWith({ score: i / 100 }),
}));
const record = (role: ExchangeRecord['role'], outcome: ExchangeOutcome): ExchangeRecord => ({
  ...{ role, outcome, model: 'm', status: 200, fault: null, requests: 1, latencyMs: 1 },
  ...{ sizePercent: 40, verdict: null, reason: 'so', promptTokens: null, completionTokens: null },
});

/** `outcomeOf`: of the question's number, and how often it was asked. */
async function ask(outcomeOf: (n: number, times: number) => ExchangeOutcome) {
  const times = new Map<number, number>();
  let [underWay, most] = [0, 0];
  const models: AskedModels = {
    ...{ identity: 'one', names: { advisor: 'a', checker: 'c' }, tolerancePoints: 15 },
    ask: async ({ signal }) => {
      const n = Math.round(signal.score * 100);
      times.set(n, (times.get(n) ?? 0) + 1);
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return [record('advisor', 'answered'), record('checker', outcomeOf(n, times.get(n)!))];
    },
  };
  const kept = new Map<string, ExchangeOutcome>();
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const work = async (): Promise<void> => {
    const asking = new Asking(models, Context.current(), async ({ key }, exchanges) => {
      kept.set(key, exchanges.at(-1)!.outcome);
    });
    await asking.all(questions, async () => undefined);
  };
  const failure: unknown = await (env.run(work) as Promise<void>).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { kept, failure, most, times };
}

test('each is asked once, four at once', async () => {
  const { kept, failure, most, times } = await ask(() => 'answered');
  assert.deepEqual([failure, kept.size, most], [undefined, 40, 4]);
  assert.ok([...times.values()].every((count) => count === 1));
});

test('a failure between answers is an answer as well', async () => {
  const { kept, failure } = await ask((n) => (n % 7 === 3 ? 'timeout' : 'answered'));
  assert.equal(failure, undefined);
  assert.deepEqual([kept.size, kept.get('3'), kept.get('4')], [40, 'timeout', 'answered']);
});

test('an endpoint that is away leaves nothing behind, and is tried again later', async () => {
  const { kept, failure } = await ask((n) => (n < 10 ? 'answered' : 'unreachable'));
  assert.ok(failure instanceof Error && 'code' in failure && 'permanent' in failure);
  assert.deepEqual([failure.code, failure.permanent], ['advice.endpoints-away', false]);
  assert.equal(kept.size, 10);
  assert.ok([...kept.values()].every((outcome) => outcome === 'answered'));
});

test('one that asks for patience is asked again', async () => {
  const { kept, times } = await ask((n, count) =>
    n === 5 && count === 1 ? 'rate-limited' : 'answered',
  );
  assert.deepEqual([kept.get('5'), times.get(5)], ['answered', 2]);
});

test('without endpoints there is nobody to ask', () => {
  assert.throws(() => modelsOrThrow({}), { code: 'advice.not-configured' });
});
