import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ConsiderRetrainResult } from '../../activities/contracts-lifecycle.ts';
import { createLifecycleActivities } from '../../activities/lifecycle.ts';
import { explainAgain } from '../../activities/lifecycle-view.ts';
import { explanationOf, setFrozen } from '../../registry/lifecycle-state.ts';
import { listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { finishRetrain, runningRetrain, startRetrain } from '../../registry/retrains.ts';
import { crown, experimentId, MODEL, testSpec } from '../support/registry-facts.ts';
import { openSettleFixture, type SettleFixture } from '../support/settle-fixture.ts';

const SPLIT = { kind: 'recent', trainBars: 1_000, validBars: 200, testBars: 200 };
/** The version's newest label is of 2018: by then it is stale. */
const NOON = '2019-12-02T12:00:00.000Z';

describe('considering a retrain', () => {
  let fixture: SettleFixture;
  let consider: (asOf: string, reasons?: readonly 'loss'[]) => Promise<ConsiderRetrainResult>;
  before(async () => {
    fixture = await openSettleFixture({ now: Date.parse(NOON) });
    const retrain = { cooldown: 0, maxAge: 20, split: SPLIT };
    await fixture.addVersion({ spec: testSpec({ retrain }), packaged: false });
    await crown(fixture.db, 1, 1);
    const { considerRetrain } = createLifecycleActivities(fixture.deps);
    consider = (asOf, reasons = []) =>
      new MockActivityEnvironment().run(considerRetrain, {
        ...{ model: MODEL, asOf, reasons, reportId: null },
      }) as Promise<ConsiderRetrainResult>;
  });
  after(() => fixture.close());

  it('waits with its reasons while the model is frozen, and says so after other changes too', async () => {
    const { db, deps } = fixture;
    const change = { model: MODEL, actor: 'key-1', reason: 'audit' };
    await setFrozen(db, { ...change, frozen: true, requestKey: 'a' });
    const look = await consider(NOON, ['loss']);
    assert.deepEqual([look.action, 'keep' in look && look.keep], ['wait', true]);
    await setFrozen(db, { ...change, frozen: false, requestKey: 'b' });
    await explainAgain(deps, MODEL, Date.parse(NOON));
    const { details } = (await explanationOf(db, MODEL))!;
    assert.deepEqual((details as { reasons: unknown }).reasons, ['loss']);
  });

  it('finds the retrain that it began before it was cut short, so that its reasons end with it', async () => {
    const first = await consider(NOON, ['loss']);
    assert.equal(first.action, 'retrain');
    assert.deepEqual(await consider(NOON, ['loss']), first);
    const told = await listLifecycleEvents(fixture.db, { model: MODEL, limit: 10 });
    assert.equal(told.filter(({ kind }) => kind === 'retrain.started').length, 1);
    assert.equal(told.filter(({ kind }) => kind === 'retrain.postponed').length, 0);
  });

  it('begins none twice at one moment, even where no cooldown forbids it', async () => {
    const { id } = (await runningRetrain(fixture.db, MODEL))!;
    await finishRetrain(fixture.db, { id, status: 'failed', outcome: 'no bars', words: 'failed' });
    const again = await consider(NOON);
    assert.equal(again.action, 'wait', 'the model is stale still: the next moment looks again');
    assert.equal((await consider('2019-12-03T12:00:00.000Z')).action, 'retrain');
  });

  it('begins none on a generation that passed, or on a model frozen meanwhile', async () => {
    const { db } = fixture;
    const { id } = (await runningRetrain(db, MODEL))!;
    await finishRetrain(db, { id, status: 'completed', outcome: 'done', words: 'done' });
    const begin = (n: number, expectedGeneration: number) =>
      startRetrain(db, {
        ...{ id: `retrain-${n}`, model: MODEL, asOf: new Date(NOON), reasons: ['loss'] },
        ...{ reportId: null, cooldownUntil: new Date(NOON), expectedGeneration, words: 'began' },
        experiment: {
          ...{ id: experimentId(100 + n), name: 'retrain', model: MODEL, spec: testSpec() },
          ...{ specHash: 'x', actor: 'lifecycle', workflowId: `experiment/${n}` },
        },
      });
    assert.equal(await begin(1, 0), undefined);
    const change = { model: MODEL, actor: 'key-1', reason: 'audit' };
    await setFrozen(db, { ...change, frozen: true, requestKey: 'c' });
    assert.equal(await begin(2, 1), undefined);
    await setFrozen(db, { ...change, frozen: false, requestKey: 'd' });
    assert.equal((await begin(3, 1))?.status, 'running');
  });
});
