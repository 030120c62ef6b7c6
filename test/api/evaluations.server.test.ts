import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { StartSweeper } from '../../api/start-sweeper.ts';
import { backtestOrThrow } from '../../registry/backtests.ts';
import {
  beginEvaluation,
  endEvaluation,
  evaluationOrThrow,
  OPEN_EVALUATIONS,
} from '../../registry/evaluations.ts';
import { getExperimentOrThrow } from '../../registry/experiments.ts';
import { INSTRUMENT, memoryLog, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';
import { addExperiment, crown, MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}`;

describe('evaluations that are asked for over HTTP', () => {
  let fixture: ApiFixture;
  let call: TestReplica['call'];
  before(async () => {
    fixture = await openApiFixture();
    ({ call } = await fixture.open('a'));
    await crown(fixture.db, 1, 1);
  });
  after(() => fixture.close());
  afterEach(async () => {
    fixture.orchestrator.state = 'running';
    fixture.orchestrator.away = undefined;
    await fixture.db.deleteFrom('version_evaluation').execute();
  });

  const ask = (body: object, key?: string) =>
    call('POST', `${PATH}/evaluate`, body, key ? { headers: { 'idempotency-key': key } } : {});
  const asked = async (body: object, key?: string): Promise<string> => {
    const answer = await ask(body, key);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    return String(answer.body['id']);
  };
  const sweeper = (clock: () => number) =>
    new StartSweeper(
      { db: fixture.db, orchestrator: fixture.orchestrator, log: memoryLog() },
      clock,
    );
  const inMinutes = (minutes: number) => () => Date.now() + minutes * 60_000;

  it('says what it is compared with, and whether the version serves itself', async () => {
    const of = async (body: object) => {
      const { version, champion, serving } = (await ask(body)).body;
      return [version, champion, serving];
    };
    assert.deepEqual(await of({}), [1, null, true]);
    assert.deepEqual(await of({ version: 2 }), [2, 1, false]);
  });

  it('answers an open question once, and a closed one anew', async () => {
    const [first, same] = await Promise.all([asked({ version: 2 }), asked({ version: 2 })]);
    assert.equal(first, same);
    const later = await asked({ version: 2, from: '2020-01-01' });
    assert.notEqual(later, first);
    assert.equal(await asked({ version: 2, from: '2020-01-01T00:00:00Z' }), later);
    await endEvaluation(fixture.db, first, { status: 'failed', message: 'no rows' });
    assert.notEqual(await asked({ version: 2 }), first);
  });

  it('has a limit for those of one model that have not ended', async () => {
    const days = Array.from({ length: OPEN_EVALUATIONS + 1 }, (_, i) => `2020-01-0${i + 1}`);
    const ids = await Promise.all(days.slice(1).map((from) => asked({ from })));
    const { status, body } = await ask({ from: days[0] });
    assert.deepEqual([status, body['code']], [429, 'evaluation.too-many']);
    assert.equal(await asked({ from: days[1] }), ids[0], 'the same question is no other one');
    await endEvaluation(fixture.db, ids[0]!, { status: 'failed', message: 'no rows' });
    await asked({ from: days[0] });
  });

  it('repeats what a key asked for, whoever serves by then', async () => {
    const id = await asked({}, 'key-of-a-champion');
    const serving = { model: MODEL, version: 1, valid_to: null };
    await fixture.db.updateTable('champion').set({ valid_to: new Date() }).execute();
    try {
      assert.equal((await ask({})).body['code'], 'champion.none');
      assert.equal(await asked({}, 'key-of-a-champion'), id);
    } finally {
      await fixture.db.updateTable('champion').set(serving).execute();
    }
  });

  it('starts nothing for a repeat of what has begun, though Temporal forgot it', async () => {
    const id = await asked({}, 'key-of-one-that-ended');
    fixture.orchestrator.evaluations.clear();
    assert.equal(await asked({}, 'key-of-one-that-ended'), id);
    assert.ok(fixture.orchestrator.evaluations.has(id), 'one that waits is started');
    await beginEvaluation(fixture.db, id);
    await endEvaluation(fixture.db, id, { status: 'failed', message: 'no rows' });
    fixture.orchestrator.evaluations.clear();
    assert.equal(await asked({}, 'key-of-one-that-ended'), id);
    assert.equal(fixture.orchestrator.evaluations.size, 0);
  });

  it('is stopped by its workflow, or at once where none is at it', async () => {
    const cancel = async (id: string) =>
      (await call('POST', `${PATH}/evaluations/${id}/cancel`)).body['status'];
    const id = await asked({});
    assert.equal(await cancel(id), 'queued', 'the workflow will write its end');
    assert.deepEqual(fixture.orchestrator.cancelled, [id]);
    fixture.orchestrator.evaluations.clear();
    assert.equal(await cancel(id), 'cancelled');
    const report = await call('GET', `${PATH}/evaluations/${id}/report`);
    assert.deepEqual([report.status, report.body['code']], [409, 'evaluation.unfinished']);
    assert.equal(await cancel(id), 'cancelled', 'what has ended stays as it ended');
    assert.deepEqual(fixture.orchestrator.cancelled, [id, id]);
  });

  it('fails what runs without a workflow, of each kind', async () => {
    const id = await asked({});
    await beginEvaluation(fixture.db, id);
    const experiment = await addExperiment(fixture.db, 77);
    const backtest = '01JBACKTEST000000000000000';
    const row = { spec: '{}', spec_hash: 'x', workflow_id: 'x', actor: 'x' };
    const values = { ...row, id: backtest, name: 'lost', status: 'running' as const };
    await fixture.db.insertInto('backtest').values(values).execute();
    const stateOf = async () => [
      (await evaluationOrThrow(fixture.db, id)).status,
      (await getExperimentOrThrow(fixture.db, experiment)).status,
      (await backtestOrThrow(fixture.db, backtest)).status,
    ];
    await sweeper(inMinutes(5)).sweep();
    assert.deepEqual(await stateOf(), ['running', 'running', 'running']);
    fixture.orchestrator.state = 'unknown';
    await sweeper(inMinutes(1)).sweep();
    assert.deepEqual(await stateOf(), ['running', 'running', 'running'], 'too young');
    await sweeper(inMinutes(5)).sweep();
    assert.deepEqual(await stateOf(), ['failed', 'failed', 'failed']);
    assert.match((await evaluationOrThrow(fixture.db, id)).message!, /not known to Temporal/);
  });

  it('looks at the other kinds where one of them stops the sweep', async (t) => {
    const data = { sources: [{ dataset: 'sp500-daily' }], instruments: [INSTRUMENT] };
    const spec = { name: 'queued', model: MODEL, data, family: 'naive', seeds: [1] };
    assert.equal((await call('POST', '/api/v1/experiments', spec)).status, 202);
    const id = await asked({});
    fixture.orchestrator.evaluations.clear();
    const broken = t.mock.method(fixture.orchestrator, 'startExperiment', () =>
      Promise.reject(new Error('broken')),
    );
    assert.equal(await sweeper(inMinutes(5)).sweep(), 1);
    assert.ok(broken.mock.callCount() > 0);
    assert.ok(fixture.orchestrator.evaluations.has(id));
  });
});
