import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { JudgeTrialResult, OpenTrialResult } from '../../activities/contracts-lifecycle.ts';
import { createTrialActivities } from '../../activities/trial.ts';
import { recordDecision } from '../../registry/decisions.ts';
import { countGateTries } from '../../registry/gate-tries.ts';
import { listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { setFrozen } from '../../registry/lifecycle-state.ts';
import { announcePromotion, switchChampion } from '../../registry/promotions.ts';
import { deleteVersion } from '../../registry/retirement.ts';
import { openTrial, recordJudgement, trialById, type NewTrial } from '../../registry/trials.ts';
import { crown, experimentId, MODEL, testSpec } from '../support/registry-facts.ts';
import { openSettleFixture, type SettleFixture } from '../support/settle-fixture.ts';

const START = new Date('2019-10-01T12:00:00.000Z');
/** More than 21 sessions later. */
const END = '2019-10-31T12:00:00.000Z';

const SPEC = testSpec({
  promotion: { trial: { kind: 'shadow', minIndependent: 20, maxDays: 21 } },
});

describe('judging a trial', () => {
  let fixture: SettleFixture;
  let judge: (trialId: string, asOf?: string) => Promise<JudgeTrialResult>;
  before(async () => {
    fixture = await openSettleFixture({ now: Date.parse(END) });
    await fixture.addVersion({ packaged: false });
    await fixture.addVersion({ packaged: false, spec: SPEC });
    await crown(fixture.db, 1, 1);
    const { judgeTrial } = createTrialActivities(fixture.deps);
    judge = (trialId, asOf = END) =>
      new MockActivityEnvironment().run(judgeTrial, {
        ...{ model: MODEL, trialId, asOf },
      }) as Promise<JudgeTrialResult>;
  });
  after(() => fixture.close());

  /** The only running trial, with one answer of the challenger beside an answer of the champion. */
  async function start(id: string, changes: Partial<NewTrial> = {}): Promise<void> {
    const { db } = fixture;
    await db.deleteFrom('trial').where('status', '=', 'running').execute();
    const opened = await openTrial(db, {
      ...{ id, model: MODEL, version: 2, championVersion: 1, generation: 1, kind: 'shadow' },
      ...{ policy: 'beats-champion', mode: 'guard', share: 0, startedAsOf: START },
      settings: SPEC.promotion,
      ...{ gateDecisionId: 'gate', experimentId: experimentId(2), words: 'It begins.' },
      ...changes,
    });
    if (!opened) throw new Error('no trial');
    await fixture.record([
      {
        id: `beside-${id}`,
        asOf: START.getTime(),
        version: 2,
        horizons: [{ horizon: 7, change: 0.01 }],
        row: { role: 'shadow', trial_id: id },
      },
    ]);
  }

  it('begins none where the decision of the gate holds no more, and tells so once', async () => {
    const { db, deps } = fixture;
    const decide = async (id: string, expectedGeneration: number): Promise<string> => {
      const decision = { id, model: MODEL, version: 2, championVersion: 1, expectedGeneration };
      const made = { policy: 'beats-champion', verdict: 'continue', reasons: ['few'] } as const;
      await recordDecision(db, { ...decision, ...made, evidence: {} });
      return id;
    };
    const propose = (decisionId: string) =>
      new MockActivityEnvironment().run(createTrialActivities(deps).openTrial, {
        ...{ model: MODEL, version: 2, experimentId: experimentId(2), decisionId },
      }) as Promise<OpenTrialResult>;
    const late = await decide('decision-late', 0);
    for (const _ of [1, 2]) assert.equal((await propose(late)).status, 'refused');
    const good = await decide('decision-good', 1);
    const first = await propose(good);
    assert.equal(first.status, 'running');
    assert.deepEqual(await propose(good), first);
    await db.deleteFrom('trial').execute();
    await deleteVersion(db, MODEL, 2, { actor: 'key-1' });
    assert.deepEqual(await propose(good), { status: 'refused', reason: 'it was deleted' });
    await assert.rejects(start('trial-deleted'), /no trial/);
    await db.updateTable('model_version').set({ status: 'registered' }).execute();
    const told = await listLifecycleEvents(db, { model: MODEL, limit: 10, kind: 'trial.refused' });
    assert.deepEqual(
      told.map(({ words }) => words),
      [
        'No trial of version 2 begins: it was deleted',
        'No trial of version 2 begins: the champion changed after it was judged',
      ],
    );
  });

  it('keeps what it decided first, whatever is found later', async () => {
    await start('trial-kept');
    assert.deepEqual(await judge('trial-kept', '2019-10-15T12:00:00.000Z'), {
      decision: 'continue',
    });
    const accepted = await judge('trial-kept');
    assert.equal(accepted.decision, 'accept');
    // As if it was cut short, and the rows were others when it looks again.
    await fixture.db.deleteFrom('prediction').execute();
    assert.deepEqual(await judge('trial-kept'), accepted);
    assert.equal(await countGateTries(fixture.db, MODEL, 1), 0, 'nothing had to be proved');
  });

  it('holds a challenger back while the model is frozen, and lets it pass afterwards', async () => {
    await start('trial-held');
    const change = { model: MODEL, actor: 'key-1', reason: 'audit' };
    await setFrozen(fixture.db, { ...change, frozen: true, requestKey: 'a' });
    assert.deepEqual(await judge('trial-held'), { decision: 'continue' });
    const { reasons } = (await trialById(fixture.db, 'trial-held'))!;
    assert.match(String(reasons), /^Accepted, but the model is frozen/);
    await setFrozen(fixture.db, { ...change, frozen: false, requestKey: 'b' });
    assert.equal((await judge('trial-held')).decision, 'accept');
  });

  it('takes the word of a person who rejects over rows that had accepted', async () => {
    await start('trial-rejected');
    assert.equal((await judge('trial-rejected')).decision, 'accept');
    const said = { decision: 'reject', actor: 'eva', reason: 'no' } as const;
    const { version } = (await trialById(fixture.db, 'trial-rejected'))!;
    await assert.rejects(recordJudgement(fixture.db, MODEL, { ...said, version: version + 7 }), {
      code: 'trial.other-version',
      message: new RegExp(`version ${version} .*not version ${version + 7}`),
    });
    await recordJudgement(fixture.db, MODEL, { ...said, version });
    assert.deepEqual((await trialById(fixture.db, 'trial-rejected'))?.judgement, said);
    assert.deepEqual(await judge('trial-rejected'), {
      decision: 'reject',
      reasons: ['Rejected by eva: no'],
    });
  });

  it('counts a trial that has to prove as a try, once', async () => {
    await start('trial-proving', { mode: 'prove' });
    for (const asOf of ['2019-10-10T12:00:00.000Z', END]) await judge('trial-proving', asOf);
    assert.equal(await countGateTries(fixture.db, MODEL, 1), 1);
  });

  it('is superseded when the model moved on, unless its own promotion did that', async () => {
    const { db } = fixture;
    const promote = async (promotionId: string, version: number, expectedGeneration: number) => {
      const intent = { promotionId, version, expectedGeneration, model: MODEL };
      await announcePromotion(db, { ...intent, actor: 'policy', reason: 'test' });
      await switchChampion(db, promotionId);
    };
    await start('trial-own');
    const accepted = await judge('trial-own');
    assert.ok('promotionId' in accepted);
    await promote(accepted.promotionId, 2, 1);
    assert.deepEqual(await judge('trial-own'), accepted);
    await promote('by-another', 1, 2);
    assert.equal((await judge('trial-own')).decision, 'superseded');
  });
});
