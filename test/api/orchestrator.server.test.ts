import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ulid } from 'ulid';
import { openOrchestrator } from '../../api/orchestrator.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';

describe('orchestrator', { skip: temporalMissing }, () => {
  it('starts, refuses doubles, cancels and describes on a real Temporal', async () => {
    const temporal = await startTemporal();
    const address = temporal.address;
    const orchestrator = openOrchestrator({ address, namespace: 'default' });
    try {
      await orchestrator.ping();
      const id = ulid();
      assert.equal(await orchestrator.experimentState(id), 'unknown');
      assert.equal(await orchestrator.cancelExperiment(id), false);
      assert.equal(await orchestrator.startExperiment(id), true);
      assert.equal(await orchestrator.startExperiment(id), false);
      assert.equal(await orchestrator.experimentState(id), 'running');
      assert.equal(await orchestrator.cancelExperiment(id), true);
      const handle = temporal.client.workflow.getHandle(`experiment/${id}`);
      await handle.terminate();
      assert.equal(await orchestrator.experimentState(id), 'ended');
      // It ran once: it never starts again under this id.
      assert.equal(await orchestrator.startExperiment(id), false);
      const promotion = {
        promotionId: ulid(),
        model: 'index-gspc',
        version: 1,
        actor: 'test',
        reason: 'test',
        expectedGeneration: 0,
      };
      assert.equal(await orchestrator.startPromotion(promotion), true);
      assert.equal(await orchestrator.startPromotion(promotion), false);
      await temporal.client.workflow.getHandle('promote/index-gspc').terminate();
      assert.equal(await orchestrator.startPromotion(promotion), true);
    } finally {
      await orchestrator.close();
      await temporal.teardown();
    }
  });
});
