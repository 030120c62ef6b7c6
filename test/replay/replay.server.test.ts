import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { quietTemporal, workflowBundle } from '../support/temporal.ts';
import { bundleOf } from '../support/time-skipping.ts';
import { SCENES, fileOf } from './scenes/index.ts';

const folder = new URL('./histories/', import.meta.url);
/** Of every type at least so many runs are replayed. */
const LEAST = 4;

interface Recorded {
  readonly file: string;
  readonly type: string;
  readonly history: unknown;
}

async function recorded(under: string): Promise<readonly Recorded[]> {
  const files = (await readdir(new URL(under, folder))).filter((name) => name.endsWith('.json'));
  return Promise.all(
    files.sort().map(async (name) => {
      const history: unknown = JSON.parse(
        await readFile(new URL(`${under}${name}`, folder), 'utf8'),
      );
      return { file: `${under}${name}`, type: name.split('-')[0]!, history };
    }),
  );
}

/** What replay says of each file: undefined where it followed the history to its end. */
async function replayed(
  workflowBundle: WorkflowBundleWithSourceMap,
  all: readonly Recorded[],
): Promise<ReadonlyMap<string, Error | undefined>> {
  const histories = all.map(({ file, history }) => ({ workflowId: file, history }));
  const results = new Map<string, Error | undefined>();
  for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) {
    results.set(result.workflowId, result.error);
  }
  return results;
}

quietTemporal();

describe('replay of recorded histories', async () => {
  const ours = await recorded('./');
  // What the release before lifecycles recorded: runs of its that are open meet the code of today.
  const former = await recorded('./former/');
  const all = [...ours, ...former];

  it('has a history of every scene, and no other', () => {
    const wanted = SCENES.map((scene) => `./${fileOf(scene)}`);
    assert.deepEqual(
      ours.map(({ file }) => file),
      wanted.sort(),
    );
  });

  it('has enough of every type of the bundle, ended by a crash too', async () => {
    const types = Object.keys(await import('../../workflows/index.ts'));
    for (const type of types) {
      const files = ours.filter((history) => history.type === type).map(({ file }) => file);
      assert.ok(files.length >= LEAST, `${type}: ${files.length} histories`);
      assert.ok(files.includes(`./${type}-crash-resumed.json`), type);
    }
  });

  const today = await replayed(await workflowBundle(), all);
  const mutants = fileURLToPath(new URL('./mutated-workflows.ts', import.meta.url));
  const mutated = await replayed(await bundleOf(mutants), all);
  for (const { file } of all) {
    it(`${file} runs the same on today's code`, () => {
      assert.ok(today.has(file), 'it was replayed');
      assert.equal(today.get(file), undefined);
    });
    it(`${file} is refused by the mutated workflows`, () => {
      assert.equal(mutated.get(file)?.name, 'DeterminismViolationError');
    });
  }
});
