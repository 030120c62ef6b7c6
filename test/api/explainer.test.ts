import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Explainer, notExplainable } from '../../api/serving/explainer.ts';
import { samplesOf } from '../../core/features/prepared.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { modelFamilyOrThrow } from '../../core/models/index.ts';
import { explainWindow } from '../../core/models/trees/explained.ts';
import { verifyPackage } from '../../core/packages/verify.ts';
import { fitContext } from '../support/fit-context.ts';
import { expectedOf, makePackage, testKeys } from '../support/model-package.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { isAlive, untilGone } from '../support/training-job.ts';
import { untilTrue } from '../support/until.ts';
import { withoutTrees } from '../support/without-trees.ts';

const prepared = plantedPrepared({ rows: 500, lookback: 3, features: 4, signal: 0.7 });
const windows = (({ features, featureCount, lookback, endRow }) => ({
  features,
  featureCount,
  lookback,
  endRow,
}))(samplesOf(prepared, prepared.split.test.subarray(0, 5)));

/** A signed package that holds the trees of a family (its graph is another model's). */
async function packageOf(family: 'lightgbm' | 'xgboost', native?: Uint8Array) {
  const job = { family, params: { rounds: 30 }, seed: 1, prepared, multiplyByClose: false };
  const trees = native ?? (await runFitJob(job, fitContext(prepared))).native;
  const built = await makePackage({
    change: (content) => ({ ...content, trees, manifest: { ...content.manifest, family } }),
  });
  return verifyPackage(built.files, testKeys, expectedOf(built));
}

describe('the process that explains', { skip: withoutTrees }, () => {
  it('starts on demand, says what the library says, and goes when nobody asks', async () => {
    const pids: number[] = [];
    const explainer = new Explainer({ idleMs: 300, onStart: (pid) => pids.push(pid) });
    try {
      assert.deepEqual(pids, []);
      for (const family of ['lightgbm', 'xgboost'] as const) {
        const pkg = await packageOf(family);
        assert.equal(notExplainable(pkg), undefined);
        const said = await explainer.explain(pkg, windows);
        const { implementation } = await modelFamilyOrThrow(family).load();
        assert.deepEqual(said, await implementation.contributions!(pkg.trees!, windows));
        const output = explainWindow(said, prepared.featureNames, { count: 2 })[0]![0]!;
        const parts = [output.base, output.rest, ...output.top.map((t) => t.contribution)];
        const all = said.values.subarray(0, 5).reduce((sum, value) => sum + value, 0);
        const sum = parts.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - all) < 1e-12);
        assert.equal(output.top.length, 2);
      }
      assert.equal(new Set(pids).size, pids.length);
      await untilGone(pids.at(-1)!, 5000);
    } finally {
      await explainer.close();
    }
  });

  it('answers all that wait, in order, and refuses more than it can hold', async () => {
    const explainer = new Explainer();
    try {
      const pkg = await packageOf('lightgbm');
      const order: number[] = [];
      const asked = Array.from({ length: 50 }, async (_, i) => {
        const said = await explainer.explain(pkg, windows);
        order.push(i);
        return said;
      });
      await assert.rejects(explainer.explain(pkg, windows), { code: 'explain.overloaded' });
      const answers = await Promise.all(asked);
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
    } finally {
      await explainer.close();
    }
  });

  it('that dies or hangs fails one question; the next one finds another process', async () => {
    const pids: number[] = [];
    const explainer = new Explainer({ onStart: (pid) => pids.push(pid) });
    try {
      const pkg = await packageOf('xgboost');
      const lost = explainer.explain(pkg, windows);
      const next = explainer.explain(pkg, windows);
      process.kill(pids[0]!, 'SIGKILL');
      await assert.rejects(lost, { code: 'explain.failed', permanent: false });
      assert.equal((await next).horizons, prepared.horizons.length);
      assert.equal(pids.length, 2);
    } finally {
      await explainer.close();
    }
    const impatient = new Explainer({ answerLimitMs: 1, onStart: (pid) => pids.push(pid) });
    const late = impatient.explain(await packageOf('lightgbm'), windows);
    await assert.rejects(late, { code: 'explain.failed', message: /no answer in time/ });
    await impatient.close();
    await untilTrue(() => !pids.some(isAlive), 'every process is gone');
  });

  it('says why there is nothing to explain, and refuses trees that are no trees', async () => {
    const explainer = new Explainer();
    try {
      const built = await makePackage();
      const network = verifyPackage(built.files, testKeys, expectedOf(built));
      assert.match(notExplainable(network)!, /the family .* does not say/);
      await assert.rejects(explainer.explain(network, windows), { code: 'explain.none' });
      const signed = await packageOf('lightgbm', new TextEncoder().encode('tree\nversion=v4\n'));
      await assert.rejects(explainer.explain(signed, windows), { code: 'bytes.corrupt' });
    } finally {
      await explainer.close();
    }
  });
});
