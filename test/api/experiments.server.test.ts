import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { StartSweeper } from '../../api/start-sweeper.ts';
import { appendEvent, endExperiment, getExperiment } from '../../registry/experiments.ts';
import {
  ADMIN,
  INSTRUMENT,
  memoryLog,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const SPEC = {
  name: 'gspc',
  model: MODEL,
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: [INSTRUMENT] },
  family: 'naive',
  seeds: [1],
};
const EXPERIMENTS = '/api/v1/experiments';
const MODELS = '/api/v1/ml-models';

describe('experiments and models over HTTP', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let call: TestReplica['call'];
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    ({ call } = replica);
  });
  after(() => fixture.close());

  it('starts one experiment for 50 requests with one key, and refuses another body', async () => {
    const headers = { 'idempotency-key': 'experiment-key-1' };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => call('POST', EXPERIMENTS, SPEC, { headers })),
    );
    for (const { status, body } of answers) assert.equal(status, 202, JSON.stringify(body));
    assert.equal(new Set(answers.map(({ body }) => String(body['id']))).size, 1);
    assert.equal(fixture.orchestrator.experiments.size, 1);
    const other = await call('POST', EXPERIMENTS, { ...SPEC, name: 'other' }, { headers });
    assert.deepEqual([other.status, other.body['code']], [422, 'idempotency.mismatch']);
  });

  it('names every mistake of a spec, with the nearest known name', async () => {
    const wrong = { ...SPEC, lookbak: 60, family: 'lstm-multi-horizn' };
    const { status, body } = await call('POST', EXPERIMENTS, wrong);
    assert.equal(status, 422);
    const issues = JSON.stringify(body['issues']);
    assert.match(issues, /lookback/);
    const upload = {
      ...SPEC,
      data: { ...SPEC.data, sources: [{ dataset: `upload:${'0'.repeat(64)}` }] },
    };
    const missing = await call('POST', EXPERIMENTS, upload);
    assert.equal(missing.status, 422);
    assert.match(JSON.stringify(missing.body), /upload the file first/);
  });

  it('takes no data of the future', async () => {
    const at = (ms: number) =>
      call('POST', EXPERIMENTS, {
        ...SPEC,
        data: { ...SPEC.data, asOf: new Date(ms).toISOString() },
      });
    const { now } = fixture.clock;
    const { status, body } = await at(now + 1_000);
    assert.deepEqual([status, body['code']], [422, 'spec.invalid']);
    assert.match(String(body['detail']), /^data\.asOf lies in the future \(/);
    assert.equal((await at(now)).status, 202);
  });

  it('lists, reads and cancels; what has ended cannot be cancelled', async () => {
    const made = await call('POST', EXPERIMENTS, SPEC);
    const id = String(made.body['id']);
    const page = await call('GET', `${EXPERIMENTS}?limit=1`);
    assert.equal((page.body['items'] as unknown as { id: string }[])[0]!.id, id);
    assert.ok(page.body['nextCursor']);
    const read = await call('GET', `${EXPERIMENTS}/${id}`);
    assert.equal((read.body['spec'] as unknown as { name: string }).name, 'gspc');
    assert.equal((await call('POST', `${EXPERIMENTS}/${id}/cancel`)).status, 202);
    assert.ok(fixture.orchestrator.cancelled.includes(id));
    await endExperiment(fixture.db, id, { status: 'cancelled', message: 'asked to' });
    assert.equal((await call('POST', `${EXPERIMENTS}/${id}/cancel`)).status, 409);
    for (const id of ['01J99999999999999999999999', 'nope', '%00', 'x'.repeat(3000)]) {
      for (const [method, path] of [
        ['GET', id],
        ['GET', `${id}/events`],
        ['POST', `${id}/cancel`],
      ] as const) {
        const none = await call(method, `${EXPERIMENTS}/${path}`);
        assert.deepEqual([none.status, none.body['code']], [404, 'experiment.not-found'], path);
      }
    }
  });

  it('streams events, resumes after the last one seen, and ends with the experiment', async () => {
    const id = String((await call('POST', EXPERIMENTS, SPEC)).body['id']);
    for (let epoch = 1; epoch <= 5; epoch++) {
      await appendEvent(fixture.db, { experimentId: id, kind: 'epoch', payload: { epoch } });
    }
    const path = `${EXPERIMENTS}/${id}/events`;
    const page = await call('GET', path);
    const items = page.body['items'] as unknown as { seq: string }[];
    assert.deepEqual([items.length, page.body['ended']], [5, false]);
    const stream = await replica.app.request(`http://localhost${path}`, {
      headers: {
        authorization: `Bearer ${ADMIN}`,
        accept: 'text/event-stream',
        'last-event-id': items[2]!.seq,
      },
    });
    assert.match(stream.headers.get('content-type') ?? '', /event-stream/);
    await endExperiment(fixture.db, id, { status: 'completed', message: 'well' });
    const text = await stream.text();
    const kinds = [...text.matchAll(/^event: *(\w+)$/gm)].map((match) => match[1]);
    assert.deepEqual(kinds, ['epoch', 'epoch', 'done']);
  });

  it('sweeps up what was left queued, and fails what can never run', async () => {
    fixture.orchestrator.away = undefined;
    const id = String((await call('POST', EXPERIMENTS, SPEC)).body['id']);
    fixture.orchestrator.experiments.delete(id);
    const parts = { db: fixture.db, orchestrator: fixture.orchestrator, log: memoryLog() };
    const sweeper = new StartSweeper(parts, () => Date.now() + 60_000);
    await sweeper.sweep();
    assert.ok(fixture.orchestrator.experiments.has(id));
    fixture.orchestrator.state = 'ended';
    await sweeper.sweep();
    const row = await getExperiment(fixture.db, id);
    assert.equal(row?.status, 'failed');
    assert.match(row?.message ?? '', /start it again/);
    fixture.orchestrator.state = 'running';
  });

  it('takes a file by its hash, twice as one', async () => {
    const bytes = 'date,open,high,low,close,volume\n2020-01-02,1,1,1,1,1\n';
    const upload = () =>
      replica.app.request('http://localhost/api/v1/uploads?name=mine.csv', {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/octet-stream' },
        body: bytes,
      });
    const first = await upload();
    assert.equal(first.status, 201);
    const answer = (await first.json()) as { sha256: string; dataset: string };
    assert.equal(answer.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.equal(answer.dataset, `upload:${answer.sha256}`);
    assert.equal((await upload()).status, 201);
    const traversal = await replica.app.request(
      'http://localhost/api/v1/uploads?name=../../etc/passwd',
      { method: 'POST', headers: { authorization: `Bearer ${ADMIN}` }, body: bytes },
    );
    assert.equal(traversal.status, 400);
  });

  it('creates, changes and retires models', async () => {
    const body = { name: 'mine', instruments: [INSTRUMENT], description: 'first' };
    assert.equal((await call('POST', MODELS, body)).status, 201);
    assert.equal((await call('POST', MODELS, body)).status, 409);
    const bad = await call('POST', MODELS, { ...body, name: '../x' });
    assert.equal(bad.status, 422);
    const changed = await call('PUT', `${MODELS}/mine`, { description: 'second' });
    assert.equal(changed.body['description'], 'second');
    const foreign = await call('PUT', `${MODELS}/mine`, { template: SPEC });
    assert.equal(foreign.status, 422);
    assert.match(JSON.stringify(foreign.body), /makes index-gspc, not mine/);
    assert.equal((await call('PUT', `${MODELS}/mine`, {})).status, 422);
    const train = await call('POST', `${MODELS}/mine/train`, {});
    assert.deepEqual([train.status, train.body['code']], [409, 'model.no-template']);
    const predict = await call('POST', `${MODELS}/mine/predict`, {});
    assert.deepEqual([predict.status, predict.body['code']], [409, 'champion.none']);
    assert.equal((await call('DELETE', `${MODELS}/mine`)).status, 204);
    assert.equal((await call('GET', `${MODELS}/mine`)).status, 404);
  });

  it('trains in a few numbers, and names the computed minimum', async () => {
    const path = `${MODELS}/${MODEL}/train`;
    const few = await call('POST', path, { trainingDays: 120 });
    assert.equal(few.status, 422, JSON.stringify(few.body));
    const minimum = Number(few.body['minimumTrainingDays']);
    assert.ok(minimum > 120 && minimum < 5000, String(minimum));
    const enough = await call('POST', path, { trainingDays: minimum, forceRetrain: true });
    assert.equal(enough.status, 202, JSON.stringify(enough.body));
    const id = String(enough.body['experimentId']);
    const spec = (await getExperiment(fixture.db, id))?.spec as Record<string, unknown>;
    assert.equal(spec['forceRetrain'], true);
    assert.equal((spec['split'] as { kind: string }).kind, 'recent');
    for (const body of [{ trainingDays: 99 }, { trainingDays: 5001 }, { instruments: ['^IXIC'] }]) {
      assert.equal((await call('POST', path, body)).status, 422, JSON.stringify(body));
    }
    const status = await call('GET', `${MODELS}/${MODEL}/training-status`);
    assert.deepEqual([status.status, status.body['status']], [200, 'queued']);
    const history = await call('GET', `${MODELS}/${MODEL}/training-history`);
    const items = history.body['items'] as unknown as { experimentId: string }[];
    assert.equal(items[0]!.experimentId, id);
  });

  it('compares, shows and deletes versions; the champion stays', async () => {
    const compared = await call('GET', `${MODELS}/${MODEL}/compare/h7.rmse`);
    assert.equal(compared.body['better'], 'lower', JSON.stringify(compared.body));
    const items = compared.body['items'] as unknown as { version: number; value: number }[];
    assert.ok(items[0]!.value <= items[1]!.value);
    const unknown = await call('GET', `${MODELS}/${MODEL}/compare/nothing`);
    assert.equal(unknown.status, 404);
    assert.match(String(unknown.body['detail']), /h7\.rmse/);
    assert.equal((await call('GET', `${MODELS}/${MODEL}/metrics`)).status, 404);
    await fixture.promote(1);
    const metrics = await call('GET', `${MODELS}/${MODEL}/metrics`);
    assert.deepEqual([metrics.status, metrics.body['version']], [200, 1]);
    assert.equal((await call('DELETE', `${MODELS}/${MODEL}/versions/1`)).status, 409);
    assert.equal((await call('DELETE', `${MODELS}/${MODEL}`)).status, 409);
    assert.equal((await call('DELETE', `${MODELS}/${MODEL}/versions/2`)).status, 204);
    assert.equal((await call('GET', `${MODELS}/${MODEL}/versions/2`)).status, 404);
    const best = await call('POST', `${MODELS}/${MODEL}/promote`, { bestBy: 'h7.rmse' });
    assert.equal(best.status, 409, 'the best one serves already');
    const listed = await call('GET', `${MODELS}/${MODEL}/versions`);
    assert.equal((listed.body['items'] as unknown as unknown[]).length, 1);
    assert.equal((await call('DELETE', `${MODELS}/${MODEL}?force=true`)).status, 204);
    await replica.replica.poll();
    assert.equal((await call('POST', `${MODELS}/${MODEL}/predict`, {})).status, 404);
  });
});
