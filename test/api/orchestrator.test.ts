import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openOrchestrator } from '../../api/orchestrator.ts';
import { ScriptedOrchestrator } from '../support/api-fixture.ts';

describe('the orchestrator that is loaded late', () => {
  it('is asked for again where it could not be loaded, and then once', async () => {
    let asked = 0;
    const scripted = new ScriptedOrchestrator();
    const orchestrator = openOrchestrator({ address: 'unused:1', namespace: 'default' }, () => {
      asked++;
      return asked < 3 ? Promise.reject(new Error('no such module')) : Promise.resolve(scripted);
    });
    await orchestrator.close();
    assert.equal(asked, 0);
    await assert.rejects(orchestrator.ping(), /no such module/);
    await assert.rejects(orchestrator.startExperiment('one'), /no such module/);
    assert.deepEqual(
      await Promise.all([orchestrator.startExperiment('two'), orchestrator.startAlert('three')]),
      [true, true],
    );
    assert.equal(asked, 3);
    assert.ok(scripted.experiments.has('two'));
    await orchestrator.close();
  });
});
