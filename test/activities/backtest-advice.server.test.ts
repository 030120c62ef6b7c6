/** Sizes of a backtest from endpoints and from history: real activities, database and HTTP; the language models are played. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { ulid } from 'ulid';
import { createBacktestAdviceActivities } from '../../activities/backtest-advice.ts';
import { createBacktestPlanActivities } from '../../activities/backtest-plan.ts';
import { createBacktestSimulateActivities } from '../../activities/backtest-simulate.ts';
import type { AdviseResult, PlannedBacktest } from '../../activities/contracts-backtest.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { NO_ADVICE } from '../../api/advice/advisor.ts';
import type { EndpointSettings } from '../../api/advice/chat-endpoint.ts';
import { backtestAdviceSchema, PROMPT_VERSION } from '../../core/advice/index.ts';
import type { AdviceOrigin } from '../../core/backtest/report/index.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { recordAdvice } from '../../registry/advice.ts';
import { backtestOrThrow, createBacktest, readBacktestEvents } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openAskedModels } from '../../workers/asked-models.ts';
import { guardedExchange } from '../../workers/guarded-exchange.ts';
import { FACTS } from '../support/advice-facts.ts';
import { memoryLog } from '../support/api-fixture.ts';
import {
  completion,
  errorObject,
  openChatServer,
  silence,
  sizeOf,
  verdictOf,
  type ChatServer,
} from '../support/chat-server.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';
import { addModel } from '../support/registry-facts.ts';
import type { Reaction } from '../support/webhook-receiver.ts';

const KEY = 'sk-test-0123456789';
const INSTRUMENT = '^GSPC';
const data = {
  sources: [{ dataset: 'sp500-daily' }],
  instruments: [INSTRUMENT],
  from: '2012-01-03',
};
const advised = {
  kind: 'advised-size',
  of: { kind: 'sma-cross', fast: 5, slow: 20 },
  ...{ by: 'endpoints', signal: 'strategy' },
};
const specOf = (strategy: object = {}, change: object = {}) => ({
  ...{ name: 'sizes', data, period: { from: '2013-01-02', to: '2013-06-28' }, paths: 0 },
  strategies: { advised: { ...advised, ...strategy }, hold: { kind: 'buy-and-hold' } },
  ...change,
});

/** The question decides: 0..15, the same whenever it is asked. */
const dieOf = (server: ChatServer): number =>
  createHash('sha256').update(server.posts.at(-1)!.body).digest()[0]! % 16;
const by = (server: ChatServer, pick: (die: number) => Reaction): void =>
  server.react((response, request) => {
    const reaction = pick(dieOf(server));
    if (typeof reaction === 'number') return void response.writeHead(reaction).end();
    return reaction(response, request);
  });

describe('advice on sizes in a backtest', () => {
  let fixture: CollectFixture;
  let first: ChatServer;
  let second: ChatServer;
  let deps: ActivityDeps;
  const log = memoryLog();
  const environment = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });

  before(async () => {
    [first, second] = await Promise.all([openChatServer(), openChatServer()]);
    fixture = await openCollectFixture();
    const plain = fixture.depsOf();
    await fixture.run(plain, data);
    await addModel(fixture.db);
    deps = { ...plain, log, askedModels: modelsWith() };
  });
  after(async () => {
    await Promise.all([first.close(), second.close()]);
    await fixture.close();
  });
  beforeEach(() => {
    // Good, malformed and slow: a size, prose, or nothing before the time is over.
    by(first, (die) =>
      die === 0 ? silence : die < 3 ? completion('about a third') : sizeOf(10 + 5 * die),
    );
    // Agrees, contradicts, and contradicts itself.
    by(second, (die) => (die < 4 ? verdictOf('disagree', 50) : verdictOf('agree', 20 + 4 * die)));
  });

  function modelsWith(change: Partial<EndpointSettings> = {}) {
    const endpoint = (server: ChatServer): EndpointSettings => ({
      ...{ url: new URL(`${server.base}/chat/completions`), model: 'test/model:1' },
      ...{ allowPrivate: true, ca: undefined, jsonMode: true, maxTokens: 300, secret: () => KEY },
      ...{ timeoutMs: 1_500, ...change },
    });
    const models = { advisor: endpoint(first), checker: endpoint(second) };
    return openAskedModels(
      {
        settings: { ...NO_ADVICE, models, tolerancePoints: 40 },
        exchange: (request) => guardedExchange(request),
      },
      { now: () => performance.now(), log },
    );
  }
  async function add(spec: object): Promise<string> {
    const id = ulid();
    const parsed = parseBacktestSpec(spec);
    const specHash = createHash('sha256').update(JSON.stringify(parsed)).digest('hex');
    const row = { id, spec: parsed, specHash, workflowId: `backtest/${id}` };
    await inTransaction(fixture.db, (trx) =>
      createBacktest(trx, { ...row, actor: 'test', requestId: undefined }),
    );
    return id;
  }
  const advise = (backtestId: string, own = deps, env = environment()): Promise<AdviseResult> =>
    env.run(createBacktestAdviceActivities(own).adviseBacktest, { backtestId, folds: [] });
  /** The steps of the workflow; everything that the run left. */
  async function run(spec: object, own = deps) {
    const id = await add(spec);
    const { planBacktest } = createBacktestPlanActivities(own);
    const plan: PlannedBacktest = await environment().run(planBacktest, { backtestId: id });
    const advice = plan.advised ? await advise(id, own) : {};
    const { simulateBacktest } = createBacktestSimulateActivities(own);
    const input = { backtestId: id, folds: [], ...advice };
    await environment().run(simulateBacktest, input);
    const row = await backtestOrThrow(fixture.db, id);
    const file = async (name: string): Promise<string> => {
      const { uri } = row.files!.find((one) => one.name === name)!;
      const sha256 = uri.slice(uri.lastIndexOf('/') + 1);
      return new TextDecoder().decode(await own.artifacts.get({ uri, sha256 }));
    };
    const origin = JSON.parse(await file('origin.json')) as { readonly advice: AdviceOrigin[] };
    return { id, row, file, advice, origin: origin.advice[0]! };
  }
  const asked = (): number => first.posts.length;

  it('asks each question once; a rerun asks nobody and gives the same numbers bit for bit', async () => {
    const from = asked();
    const one = await run(specOf());
    const questions = asked() - from;
    assert.ok(questions > 30, `${questions}`);
    assert.deepEqual(
      one.row.results!.map(({ strategy }) => strategy),
      ['advised', 'hold', 'advised-fixed', 'advised-mean'],
    );
    const { byReason, decisions, meanSize, asked: told } = one.origin;
    for (const reason of ['agreed', 'disagreed', 'advisor-failed']) {
      assert.ok(byReason[reason]! > 0, `${reason} of ${JSON.stringify(byReason)}`);
    }
    assert.equal(
      Object.values(byReason).reduce((a, b) => a + b, 0),
      decisions,
    );
    assert.ok(meanSize > 0.05 && meanSize < 1);
    assert.ok(told!.advisor['timeout']! > 0 && told!.advisor['invalid']! > 0);

    const again = await run(specOf());
    assert.equal(asked() - from, questions, 'nobody was asked again');
    assert.deepEqual(again.advice, one.advice);
    for (const name of ['advised', 'advised-fixed', 'advised-mean']) {
      const same =
        (await again.file(`result-${name}.json`)) === (await one.file(`result-${name}.json`));
      assert.ok(same, name);
    }
    const events = await readBacktestEvents(fixture.db, again.id);
    const progress = events.filter(({ kind }) => kind === 'advice').map(({ payload }) => payload);
    const all = told!.questions;
    assert.deepEqual(progress, [
      { strategy: 'advised', asked: 0, remembered: all, questions: all },
    ]);
    await run(specOf({ round: 2 }));
    assert.equal(asked() - from, 2 * questions, 'another round asks anew');
  });

  it('says what a reader must know, and shows both beside it', async () => {
    const { file, row } = await run(specOf());
    const page = await file('report.html');
    assert.match(page, /may have learnt from texts about this period/);
    assert.match(page, /by the rule: the checker refused, or named another size/);
    assert.match(page, /advised-fixed: whole positions/);
    assert.match(page, /First model, test\/model:1/);
    assert.match(row.message!, /advised made/);
  });

  it('keeps the key to itself', async () => {
    by(first, () => sizeOf(30, `the key is ${KEY}`));
    const { file } = await run(specOf({ round: 3, questions: 5 }));
    const rows = await fixture.db.selectFrom('asked_advice').selectAll().execute();
    for (const text of [
      JSON.stringify(rows),
      await file('report.html'),
      await file('origin.json'),
      JSON.stringify([log.lines, log.fields]),
    ]) {
      assert.ok(text.length > 100 && !text.includes(KEY));
    }
    assert.match(JSON.stringify(rows), /the key is \[secret\]/);
    assert.ok(rows.every(({ prompt }) => prompt === PROMPT_VERSION));
  });

  it('asks no more than the spec allows, and no question twice in one run', async () => {
    const from = asked();
    const { origin } = await run(specOf({ round: 4, questions: 7 }));
    assert.ok(asked() - from >= 7 && asked() - from <= 14, 'a question, and one repair at most');
    assert.equal(origin.asked!.questions, 7);
    assert.ok(origin.byReason['over-budget']! > 20);
    const changes = await run(specOf({ round: 5, at: 'changes' }));
    assert.ok(changes.origin.asked!.questions < 12, 'a few changes of position');
    assert.equal(changes.origin.byReason['over-budget'], undefined);
  });

  it('goes on after an end in the middle with what was answered, cancelled or killed', async () => {
    by(first, () => sizeOf(40));
    by(second, () => verdictOf('agree', 40));
    const id = await add(specOf({ round: 6 }));
    const env = environment();
    const from = asked();
    let cut = 0;
    first.react((response, request) => {
      if (++cut === 10) env.cancel();
      return (sizeOf(40) as Exclude<Reaction, number>)(response, request);
    });
    await assert.rejects(advise(id, deps, env), CancelledFailure);
    const before = asked() - from;
    assert.ok(before >= 10 && before < 20, `${before}`);
    const { advice } = await advise(id);
    const text = new TextDecoder().decode(await deps.artifacts.get(advice));
    const found = backtestAdviceSchema.parse(JSON.parse(text)).strategies['advised']!;
    assert.ok(found.by === 'endpoints');
    assert.equal(asked() - from, Object.keys(found.answers).length, 'none was asked twice');
  });

  it('waits for an endpoint that asks for patience', async () => {
    const good = sizeOf(40) as Exclude<Reaction, number>;
    first.react(errorObject(429, 'slow down', null, { 'retry-after': '0.2' }), good);
    by(second, () => verdictOf('agree', 40));
    const { origin } = await run(specOf({ round: 7, questions: 3 }));
    assert.deepEqual(origin.asked!.advisor, { answered: 3 });
  });

  it('fails where no endpoint is configured, before anything is trained', async () => {
    const { askedModels: _none, ...bare } = deps;
    await assert.rejects(run(specOf(), bare), { code: 'advice.not-configured' });
  });

  it('takes from history what was advised in time, and the rule elsewhere', async () => {
    const bars = ['2013-02-01', '2013-02-04', '2013-02-05'];
    const days = ['2013-02-01T22:00:00Z', '2013-02-04T22:00:00Z', '2013-03-01T22:00:00Z'];
    for (const [i, day] of bars.entries()) {
      const rule = { size: 0.1, terms: { strength: 1, trust: 1, proof: 1, calm: 1, room: 1 } };
      await recordAdvice(fixture.db, {
        ...{ id: ulid(), model: 'index-gspc', version: 1, instrument: INSTRUMENT },
        ...{ as_of: new Date(`${day}T00:00:00Z`), prediction_id: null, prompt: PROMPT_VERSION },
        ...{ facts: FACTS, exchanges: [], rule: { ...rule, stop: null }, size: 0.63 },
        ...{ decided_by: 'models', reason: 'agreed', latency_ms: 1, key_id: 'k', request_id: 'r' },
        created_at: new Date(days[i]!),
      });
    }
    const from = asked();
    const model = { name: 'index-gspc', version: 1 };
    const { origin } = await run({ ...specOf({ by: 'history' }), model });
    assert.equal(asked(), from);
    assert.deepEqual([origin.byReason['given'], origin.late], [2, 1]);
    assert.ok(origin.byReason['not-given']! > 20);
  });
});
