import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Worker, bundleWorkflowCode } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { quietTemporal, workflowBundle } from '../support/temporal.ts';

const folder = new URL('./histories/', import.meta.url);
const TYPES = ['experiment', 'promote'];
const CASES = ['ok', 'retried', 'cancelled', 'crash-resumed'];

async function replay(
  bundle: WorkflowBundleWithSourceMap,
  name: string,
): Promise<Error | undefined> {
  const history: unknown = JSON.parse(await readFile(new URL(name, folder), 'utf8'));
  const [type, ...rest] = name.replace('.json', '').split('-');
  const histories = [{ workflowId: `${type}/${rest.join('-')}`, history }];
  for await (const result of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
    return result.error;
  }
  throw new Error(`nothing replayed for ${name}`);
}

quietTemporal();

describe('replay of recorded histories', async () => {
  const names = TYPES.flatMap((type) => CASES.map((kind) => `${type}-${kind}.json`));

  it('has a history of every type and case', async () => {
    const present = await readdir(folder);
    assert.deepEqual(
      names.filter((name) => !present.includes(name)),
      [],
    );
  });

  const mutated = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./mutated-workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  for (const name of names) {
    it(`${name} runs the same on today's code`, async () => {
      assert.equal(await replay(await workflowBundle(), name), undefined);
    });
    it(`${name} is refused by the mutated workflows`, async () => {
      const error = await replay(mutated, name);
      assert.equal(error?.name, 'DeterminismViolationError');
    });
  }
});
