import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { temporalAway } from '../../api/errors.ts';
import { recordDriftReport } from '../../registry/drift.ts';
import { retireModel } from '../../registry/retirement.ts';
import { RatchetError } from '../../core/errors.ts';
import { advanceSettledAsOf, setFrozen, writeExplanation } from '../../registry/lifecycle-state.ts';
import { openTrial, recordTrialLook, trialById } from '../../registry/trials.ts';
import {
  NOW,
  openApiFixture,
  type ApiFixture,
  type Body,
  type TestReplica,
} from '../support/api-fixture.ts';
import { experimentId, MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}`;
const AS_OF = new Date('2020-01-03T21:30:00Z');

describe('lifecycle over HTTP', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture(3);
    replica = await fixture.open('a');
  });
  after(() => fixture.close());

  const post = (word: string, body: unknown, key?: string) =>
    replica.call('POST', `${PATH}/${word}`, body, {
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const get = (path: string) => replica.call('GET', `${PATH}/${path}`);
  const answerOf = ({ status, body }: { status: number; body: Body }) => [status, body['code']];
  const startTrial = (id: string, version: number, kind: 'shadow' | 'manual' = 'shadow') =>
    openTrial(fixture.db, {
      ...{ id, model: MODEL, version, championVersion: 2, generation: 2, kind, share: 0 },
      ...{ policy: 'beats-champion', mode: 'prove', settings: { alpha: 0.05 } },
      ...{ startedAsOf: AS_OF, gateDecisionId: 'gate', experimentId: experimentId(version) },
      words: `A ${kind} trial of version ${version} began`,
    });

  it('explains a model that nothing ever looked at', async () => {
    const { status, body } = await get('explain');
    assert.equal(status, 200);
    assert.deepEqual([body['state'], body['asOf'], body['ageS']], ['no-champion', null, null]);
    assert.match(
      String(body['sentences']),
      /Nothing serves this model yet\..*not looked at it yet/,
    );
    assert.equal((await replica.call('GET', '/api/v1/ml-models/none/explain')).status, 404);
    assert.deepEqual(answerOf(await post('monitor', {})), [409, 'champion.none']);
  });

  it('rolls back to the former champion, or to any earlier version, and to nothing else', async () => {
    assert.deepEqual(answerOf(await post('rollback', { reason: 'x' })), [
      409,
      'rollback.no-champion',
    ]);
    await fixture.promote(1);
    assert.deepEqual(answerOf(await post('rollback', { reason: 'x' })), [409, 'rollback.none']);
    await fixture.promote(2);
    assert.deepEqual(answerOf(await post('rollback', {})), [422, 'body.invalid']);
    assert.deepEqual(answerOf(await post('rollback', { version: 3, reason: 'x' })), [
      409,
      'rollback.not-earlier',
    ]);
    assert.deepEqual(answerOf(await post('rollback', { version: 9, reason: 'x' })), [
      404,
      'version.unknown',
    ]);
    assert.deepEqual(answerOf(await post('rollback', { version: 2, reason: 'x' })), [
      409,
      'promotion.conflict',
    ]);
    const stale = { reason: 'x', expectedGeneration: 1 };
    assert.deepEqual(answerOf(await post('rollback', stale)), [409, 'promotion.conflict']);

    const accepted = await post('rollback', { reason: 'it lost money' }, 'rollback-key');
    assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
    assert.deepEqual([accepted.body['version'], accepted.body['expectedGeneration']], [1, 2]);
    const again = await post('rollback', { reason: 'it lost money' }, 'rollback-key');
    assert.deepEqual(again.body, accepted.body);
    const orders = fixture.orchestrator.promotions;
    assert.deepEqual(
      orders.map(({ update, request }) => [update, request.reason]),
      [['rollback', 'it lost money']],
    );
    const other = await post('rollback', { reason: 'another reason' }, 'rollback-key');
    assert.deepEqual(answerOf(other), [422, 'idempotency.mismatch']);
    fixture.orchestrator.ended(MODEL);
  });

  it('goes back further when asked again, and never to what was rolled back from', async () => {
    const other = await openApiFixture(3);
    try {
      const on = await other.open('a');
      const back = async () => {
        const { status, body } = await on.call('POST', `${PATH}/rollback`, { reason: 'x' });
        if (status !== 202) return body;
        other.orchestrator.ended(MODEL);
        await other.promote(Number(body['version']));
        return body['version'];
      };
      for (const version of [1, 2, 3]) await other.promote(version);
      assert.deepEqual([await back(), await back()], [2, 1]);
      const refused = (await back()) as Body;
      assert.equal(refused['code'], 'rollback.none');
      assert.match(String(refused['detail']), /left for an earlier one since; name one/);
      await other.promote(3);
      assert.equal(await back(), 1, '2 was left for 1');
    } finally {
      await other.close();
    }
  });

  it('a promotion whose answer was lost is the same one when it is asked for again', async () => {
    const { orchestrator, db } = fixture;
    const before = orchestrator.promotions.length;
    const key = 'lost-answer-key';
    const accepted = await post('promote', { version: 3 }, key);
    orchestrator.ended(MODEL);
    // As if the connection to the database had broken before the commit.
    await db.deleteFrom('idempotency_key').where('key', '=', key).execute();
    const { promotionId, expectedGeneration } = accepted.body as Record<string, unknown>;
    const row = {
      model: MODEL,
      version: 3,
      actor: 'key',
      reason: 'x',
      status: 'announced',
    } as const;
    const id = String(promotionId);
    const generation = Number(expectedGeneration);
    await db
      .insertInto('promotion')
      .values({ id, expected_generation: generation, ...row })
      .execute();
    const again = await post('promote', { version: 3 }, key);
    assert.deepEqual([again.status, again.body], [202, accepted.body]);
    assert.equal(orchestrator.promotions.length, before + 1, 'ordered once');
    await db.deleteFrom('promotion').where('id', '=', id).execute();
  });

  it('freezes and unfreezes by orders that carry who and why', async () => {
    assert.deepEqual(answerOf(await post('freeze', {})), [422, 'body.invalid']);
    const frozen = await post('freeze', { reason: 'year end' }, 'freeze-key');
    assert.deepEqual([frozen.status, frozen.body['done']], [202, true]);
    await post('freeze', { reason: 'year end' }, 'freeze-key');
    await post('unfreeze', {});
    const sent = fixture.orchestrator.orders.filter(({ update }) => update.endsWith('freeze'));
    assert.deepEqual(
      sent.map(({ update, request }) => [update, request.reason]),
      [
        ['freeze', 'year end'],
        ['unfreeze', 'asked for by hand'],
      ],
    );
    assert.ok(sent.every(({ request }) => request.actor.length > 0));
  });

  it('judges only where a trial runs, and hands on what the lifecycle refuses', async () => {
    assert.deepEqual(answerOf(await post('reject', { reason: 'x' })), [409, 'trial.none']);
    assert.deepEqual(answerOf(await post('approve', {})), [409, 'trial.none']);
    await startTrial('trial-1', 3);
    assert.deepEqual(answerOf(await post('reject', {})), [422, 'body.invalid']);
    const refused = new RatchetError('trial.not-manual', 'the shadow trial decides by its rows');
    const { orchestrator } = fixture;
    orchestrator.away = refused;
    assert.deepEqual(answerOf(await post('approve', {})), [409, 'trial.not-manual']);
    orchestrator.away = undefined;
    const other = await post('reject', { reason: 'odd forecasts', version: 1 });
    assert.deepEqual(answerOf(other), [409, 'trial.other-version']);
    assert.match(
      String(other.body['detail']),
      /version 3 of .* is on trial \(trial-1\), not version 1/,
    );
    const { status, body } = await post('reject', { reason: 'odd forecasts', version: 3 });
    assert.deepEqual([status, body['trial']], [202, { id: 'trial-1', version: 3 }]);
    const [sent] = orchestrator.orders.slice(-1);
    assert.equal(Object.entries(sent!.request).find(([name]) => name === 'version')?.[1], 3);
    assert.equal(orchestrator.orders.at(-1)?.update, 'reject');
  });

  it('shows trials with progress and the expected way to a decision', async () => {
    const arm = { requests: 10, errors: 0, abstained: 0, p95Ms: 3 };
    const progress = {
      ...{ rows: 40, independent: 40, blocks: 2, blockRows: 20, test: 'confidence-sequence' },
      ...{ status: 'undecided', meanDifference: 0.1, relativeDifference: 0.1, lower: -0.1 },
      ...{ upper: 0.3, wealth: null, alpha: 0.05, elapsed: 20, maxDays: 60 },
      arms: { champion: arm, challenger: arm },
    };
    const look = { trialId: 'trial-1', asOf: AS_OF, share: 0, reasons: ['too early'], progress };
    await recordTrialLook(fixture.db, look);
    const list = (await get('trials')).body['items'] as unknown as Body[];
    assert.deepEqual(
      list.map((row) => [row['id'], row['status'], row['version']]),
      [['trial-1', 'running', 3]],
    );
    const { body } = await get('trials/trial-1');
    assert.deepEqual(body['progress'], progress);
    // Half width 0.2 at a mean of 0.1: four times the rows, 120 more, 2 a session.
    const expected = body['expected'] as unknown as Record<string, unknown>;
    assert.deepEqual([expected['rows'], expected['sessions']], [120, 60]);
    assert.match(String(expected['words']), /would end undecided.*at most 40 sessions are left/);
    assert.deepEqual(answerOf(await get('trials/none')), [404, 'trial.not-found']);
    const bare = { name: 'bare', instruments: ['^GSPC'] };
    await replica.call('POST', '/api/v1/ml-models', bare);
    const foreign = await replica.call('GET', '/api/v1/ml-models/bare/trials/trial-1');
    assert.deepEqual(answerOf(foreign), [404, 'trial.not-found']);
  });

  it('explains from rows, with Temporal away, how things stand and how old that is', async () => {
    const { db, orchestrator, clock } = fixture;
    await writeExplanation(db, {
      ...{ model: MODEL, asOf: AS_OF, state: 'on-trial', details: { facts: { age: 3 } } },
      sentences: ['Version 2 is champion.', 'Version 3 is in a shadow trial.'],
    });
    const row = await db.selectFrom('explanation').select('written_at').executeTakeFirstOrThrow();
    clock.now = row.written_at.getTime() + 3_000;
    orchestrator.away = temporalAway(new Error('gone'));
    const { status, body } = await get('explain');
    assert.equal(status, 200);
    assert.deepEqual([body['state'], body['ageS']], ['on-trial', 3]);
    assert.deepEqual(body['sentences'], [
      'Version 2 is champion.',
      'Version 3 is in a shadow trial.',
      'As of 2020-01-03 21:30Z, written 3 s ago.',
    ]);
    assert.equal((body['trial'] as unknown as Body)['id'], 'trial-1');
    const change = { model: MODEL, actor: 'key', requestKey: 'f', reason: 'year end' };
    await setFrozen(db, { ...change, frozen: true });
    clock.now += 86_400_000;
    const later = (await get('explain')).body;
    assert.equal(later['state'], 'frozen');
    assert.match(String(later['sentences']), /Since then it was frozen \(year end\).*1 day ago/);
    await setFrozen(db, { ...change, frozen: false });
    const report = {
      verdict: 'warn',
      ...{ model: MODEL, report: {}, state: null },
      ...{ signals: ['stale'], words: ['Warning. It is too old.', 'Losses: as usual.'] },
      page: { uri: 'u', sha256: 's', bytes: 1 },
    } as const;
    const told = async () =>
      ((await get('explain')).body['sentences'] as unknown as string[]).at(-2);
    await recordDriftReport(db, { ...report, version: 1, asOf: AS_OF });
    assert.match(
      String(await told()),
      /as of 2020-01-03 21:30Z, is about version 1, not the champion: Warning\. It is too old\. /,
    );
    const asOf = new Date('2020-01-04T00:01:02.345Z');
    await recordDriftReport(db, { ...report, version: 2, asOf });
    assert.equal(
      await told(),
      `The newest drift report, as of 2020-01-04 00:01Z: Warning. It is too old. \`ratchet drift ${MODEL}\` shows it.`,
    );
    for (const word of ['settle', 'monitor', 'unfreeze']) {
      assert.deepEqual(answerOf(await post(word, {})), [503, 'temporal.unavailable'], word);
    }
    orchestrator.away = undefined;
    clock.now = NOW;
  });

  it('tells the story page by page, and by kind', async () => {
    const first = (await get('history?limit=2')).body;
    const items = first['items'] as unknown as Body[];
    assert.equal(items.length, 2);
    assert.ok(items.every((row) => String(row['words']).length > 0));
    const next = (await get(`history?limit=100&before=${String(first['nextCursor'])}`)).body;
    const rest = next['items'] as unknown as Body[];
    assert.ok(rest.length > 0 && next['nextCursor'] === null);
    const seqs = [...items, ...rest].map((row) => Number(row['seq']));
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => b - a),
    );
    const frozen = (await get('history?kind=model.frozen')).body['items'] as unknown as Body[];
    assert.deepEqual(
      frozen.map((row) => [row['kind'], row['actor'], row['words']]),
      [['model.frozen', 'key', 'Frozen: year end']],
    );
    assert.equal((await get('history?before=x')).status, 400);
    assert.equal((await get('history?kind=gossip')).status, 400);
  });

  it('settles and monitors as of a time that has passed, one at a time', async () => {
    const asked = await post('settle', { asOf: '2020-01-02' });
    assert.deepEqual([asked.status, asked.body['asOf']], [202, '2020-01-02T00:00:00.000Z']);
    assert.deepEqual(answerOf(await post('settle', {})), [409, 'slot.running']);
    const now = await post('monitor', {});
    assert.equal(now.body['asOf'], new Date(NOW).toISOString());
    assert.deepEqual(answerOf(await post('monitor', { asOf: '2999-01-01' })), [422, 'slot.future']);
    assert.deepEqual(
      fixture.orchestrator.slots.map(({ type, input }) => [type, input.asOf]),
      [
        ['settle', '2020-01-02T00:00:00.000Z'],
        ['monitor', new Date(NOW).toISOString()],
      ],
    );
  });

  it('deletes no version that serves or is tried, and ends all of a model that is retired', async () => {
    const { db, orchestrator } = fixture;
    const remove = (path: string) => replica.call('DELETE', `${PATH}${path}`);
    assert.deepEqual(answerOf(await remove('/versions/2')), [409, 'version.champion']);
    assert.deepEqual(answerOf(await remove('/versions/3')), [409, 'version.on-trial']);
    assert.deepEqual(answerOf(await remove('')), [409, 'model.serving']);
    orchestrator.away = temporalAway(new Error('gone'));
    assert.deepEqual(answerOf(await remove('?force=true')), [503, 'temporal.unavailable']);
    assert.equal((await get('explain')).status, 200, 'nothing was retired');
    orchestrator.away = undefined;
    await advanceSettledAsOf(db, MODEL, new Date(NOW));
    assert.equal((await remove('?force=true')).status, 204);
    assert.deepEqual(orchestrator.endedModels, [MODEL]);
    const trial = await trialById(db, 'trial-1');
    assert.deepEqual([trial?.status, trial?.reasons], ['superseded', ['the model was retired']]);
    assert.equal((await get('explain')).status, 404);
    const asker = { actor: 'key-1', force: true };
    await assert.rejects(retireModel(db, MODEL, asker), { code: 'model.unknown' });
    const state = await db
      .selectFrom('model_state')
      .select(['champion_version', 'frozen', 'settled_as_of'])
      .where('model', '=', MODEL)
      .executeTakeFirstOrThrow();
    // Whoever takes the name again begins with market time of its own.
    assert.deepEqual(state, { champion_version: null, frozen: false, settled_as_of: null });
  });
});
