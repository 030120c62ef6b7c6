import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApplicationFailure, CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { EvaluateInput, FitInput, PackageInput } from '../../activities/contracts.ts';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import type { ExperimentOutcome } from '../../workflows/messages.ts';
import { failingFirst, permanent, scriptedActivities } from '../support/scripted-activities.ts';
import type { Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { withWorkers } from '../support/workflow-workers.ts';

describe('workflow experiment', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let nextId = 0;

  before(async () => {
    env = await startTemporal();
  });
  after(async () => {
    await env.teardown();
  });

  async function scripted<T>(
    script: Script,
    run: (calls: { name: string; input: unknown }[], id: string) => Promise<T>,
  ): Promise<T> {
    const { activities, calls } = scriptedActivities(script);
    return withWorkers(env.nativeConnection, activities, () => run(calls, `E${nextId++}`));
  }

  const start = (id: string) =>
    env.client.workflow.start('experiment', {
      taskQueue: TASK_QUEUES.orchestration,
      workflowId: workflowIds.experiment(id),
      args: [{ experimentId: id }],
    });

  const result = async (id: string): Promise<ExperimentOutcome> => {
    const handle = await start(id);
    return handle.result() as Promise<ExperimentOutcome>;
  };

  const causeOf = (error: unknown): Error => {
    assert.ok(error instanceof WorkflowFailedError);
    return error.cause as Error;
  };

  it('markets apart: the others go on, and the outcome names those that failed', async () => {
    const units = ['index-gspc', 'index-ixic', 'index-dji', 'index-rut'];
    const { activities } = scriptedActivities();
    const override: Script['override'] = {
      collect: async (asked) => {
        if (asked.instrument === '^rut') throw permanent('collect.noBars', 'no bars of ^rut');
        return activities.collect(asked);
      },
      validate: async (asked) => ({
        ...(await activities.validate(asked)),
        ...{ passed: false, reasons: ['^dji: flat'] },
        failed: [{ instrument: '^dji', reason: '^dji: flat' }],
      }),
      buildFeatures: async (asked) => {
        if (asked.unit.model === 'index-ixic') throw permanent('data.short', 'too few bars');
        return activities.buildFeatures(asked);
      },
    };
    const failed = [
      { model: 'index-ixic', reason: 'too few bars' },
      { model: 'index-dji', reason: '^dji: flat' },
      { model: 'index-rut', reason: 'no bars of ^rut' },
    ];
    await scripted({ apart: true, units, override }, async (calls, id) => {
      const outcome = await result(id);
      assert.equal(outcome.status, 'completed');
      assert.deepEqual(
        outcome.versions.map(({ model, promoted }) => [model, promoted]),
        [['index-gspc', true]],
      );
      assert.deepEqual(outcome.status === 'completed' && outcome.failed, failed);
      const inputsOf = (name: string) => calls.filter((c) => c.name === name).map((c) => c.input);
      // Notes are written side by side: which comes first is a matter of load.
      const byModel = (notes: readonly unknown[]) =>
        (notes as { model: string }[]).toSorted((a, b) => a.model.localeCompare(b.model));
      assert.deepEqual(
        byModel(inputsOf('noteFailedUnit')),
        byModel(failed.map((one) => ({ experimentId: id, ...one }))),
      );
      const [ended] = inputsOf('finishExperiment') as { message: string; failed: unknown }[];
      assert.deepEqual(ended!.failed, failed);
      assert.match(ended!.message, /^3 of 4 models failed: index-ixic: too few bars \| index-dji/);
      assert.match(ended!.message, / index-gspc: Better than naive\.$/);
      const judged = inputsOf('validate') as { datasets: { instrument: string }[] }[];
      assert.deepEqual(
        judged[0]!.datasets.map(({ instrument }) => instrument),
        ['^gspc', '^ixic', '^dji'],
      );
    });
  });

  it('markets apart: none is left, so the experiment fails with every reason', async () => {
    const buildFeatures: Activities['buildFeatures'] = async ({ unit }) => {
      throw permanent('data.short', `too few bars for ${unit.model}`);
    };
    const units = ['index-gspc', 'index-ixic'];
    await scripted({ apart: true, units, override: { buildFeatures } }, async (calls, id) => {
      await assert.rejects(result(id), (error) => {
        assert.match(causeOf(error).message, /for index-gspc \| too few bars for index-ixic/);
        return true;
      });
      const ended = calls.find(({ name }) => name === 'finishExperiment')?.input;
      assert.equal((ended as { status: string }).status, 'failed');
    });
  });

  it('goes from bars to a promoted champion, one activity a step', async () => {
    await scripted({}, async (calls, id) => {
      const outcome = await result(id);
      assert.deepEqual(outcome, {
        status: 'completed',
        versions: [
          { model: 'index-gspc', version: 7, promoted: true, verdict: 'Better than naive.' },
        ],
      });
      const names = calls.map((call) => call.name);
      assert.equal(names.filter((name) => name === 'fit').length, 5);
      assert.deepEqual(names.slice(0, 5), [
        'openExperiment',
        'collect',
        'validate',
        'findFittingVersion',
        'buildFeatures',
      ]);
      assert.deepEqual(names.slice(-8), [
        'evaluate',
        'packageModel',
        'register',
        'decide',
        'announcePromotion',
        'awaitReplicas',
        'switchChampion',
        'finishExperiment',
      ]);
      const packaged = calls.find((call) => call.name === 'packageModel');
      assert.equal((packaged?.input as { fit: { seed: number } }).fit.seed, 2, 'the median seed');
    });
  });

  it('fits the served seed again after the evaluation, where buildFeatures gave rows for it', async () => {
    const artifact = (name: string) => ({ uri: `cas/${name}`, sha256: name, bytes: 1 });
    const rows = artifact('rows');
    const built = {
      prepared: artifact('prepared'),
      samples: { train: 3000, valid: 600, test: 600 },
      refit: rows,
      cached: false,
    };
    const fit: Activities['fit'] = async ({ family, seed, refit }) => ({
      family,
      seed,
      fitted: artifact(refit ? 'refitted' : `fitted-${seed}`),
      weightsDigest: refit ? 'refit' : `weights-${seed}`,
      ...{ bestValidLoss: seed, bestEpoch: 3, epochsRun: 5, attempt: 1 },
      ...{ resumedFromEpoch: null, cached: false },
    });
    const override = { buildFeatures: async () => built, fit };
    await scripted({ override }, async (calls, id) => {
      await result(id);
      const names = calls.map(({ name }) => name);
      assert.deepEqual(names.slice(names.indexOf('evaluate'), names.indexOf('register')), [
        'evaluate',
        'fit',
        'packageModel',
      ]);
      const inputOf = (name: string) =>
        calls.findLast((call) => call.name === name)?.input as object;
      const { seed, refit } = inputOf('fit') as FitInput;
      assert.deepEqual([seed, refit], [2, { rows, twin: artifact('fitted-2') }]);
      assert.deepEqual((inputOf('evaluate') as EvaluateInput).refit, rows, 'the report says it');
      const packaged = inputOf('packageModel') as PackageInput;
      assert.deepEqual([packaged.fit.weightsDigest, packaged.refit?.rows], ['weights-2', rows]);
      assert.equal(packaged.refit?.fit.weightsDigest, 'refit');
    });
  });

  it('fits every seed and baseline on each older fold, and serves the newest', async () => {
    const artifact = (name: string) => ({ uri: `cas/${name}`, sha256: name, bytes: 1 });
    const folds = [artifact('fold-1'), artifact('fold-2')];
    const built = {
      prepared: artifact('prepared'),
      samples: { train: 3000, valid: 600, test: 600 },
      folds,
      cached: false,
    };
    const fit: Activities['fit'] = async ({ family, seed, fold }) => ({
      family,
      seed,
      fitted: artifact(`${family}-${seed}-${fold?.number ?? 'newest'}`),
      weightsDigest: `weights-${seed}`,
      ...{ bestValidLoss: seed, bestEpoch: 3, epochsRun: 5, attempt: 1 },
      ...{ resumedFromEpoch: null, cached: false },
    });
    const override = { buildFeatures: async () => built, fit };
    await scripted({ override }, async (calls, id) => {
      await result(id);
      assert.equal(calls.filter(({ name }) => name === 'fit').length, 3 * (3 + 2));
      const inputOf = (name: string) =>
        calls.find((call) => call.name === name)?.input as EvaluateInput & PackageInput;
      const judged = inputOf('evaluate').folds!;
      assert.deepEqual(
        judged.map(({ rows }) => rows),
        folds,
      );
      assert.deepEqual(
        judged.map(({ fits, baselines }) =>
          [...fits, ...baselines].map(({ fitted }) => fitted.sha256),
        ),
        [1, 2].map((fold) => [
          ...[1, 2, 3].map((seed) => `lstm-multi-horizon-${seed}-${fold}`),
          `naive-0-${fold}`,
          `ridge-0-${fold}`,
        ]),
      );
      assert.equal(inputOf('packageModel').fit.fitted.sha256, 'lstm-multi-horizon-2-newest');
    });
  });

  it('refits and packages every seed where the evaluation serves their mean', async () => {
    const artifact = (name: string) => ({ uri: `cas/${name}`, sha256: name, bytes: 1 });
    const built = {
      prepared: artifact('prepared'),
      samples: { train: 3000, valid: 600, test: 600 },
      refit: artifact('rows'),
      cached: false,
    };
    const fit: Activities['fit'] = async ({ family, seed, refit }) => ({
      family,
      seed,
      fitted: artifact(`${family}-${seed}${refit ? '-refit' : ''}`),
      weightsDigest: `weights-${seed}`,
      ...{ bestValidLoss: seed, bestEpoch: 3, epochsRun: 5, attempt: 1 },
      ...{ resumedFromEpoch: null, cached: false },
    });
    const evaluate: Activities['evaluate'] = async () => ({
      evaluation: artifact('evaluation'),
      servedSeed: 2,
      serve: 'seedEnsemble',
      beatsNaive: true,
      verdict: 'Better than naive.',
    });
    const override = { buildFeatures: async () => built, fit, evaluate };
    await scripted({ override }, async (calls, id) => {
      await result(id);
      const input = calls.find(({ name }) => name === 'packageModel')?.input as PackageInput;
      const names = (fits: PackageInput['fits']) => fits?.map(({ fitted }) => fitted.sha256);
      const each = [1, 2, 3].map((seed) => `lstm-multi-horizon-${seed}`);
      assert.deepEqual(names(input.fits), each);
      assert.deepEqual(
        names(input.refit?.fits),
        each.map((name) => `${name}-refit`),
      );
      assert.equal(input.refit!.fit.fitted.sha256, 'lstm-multi-horizon-2-refit');
    });
  });

  it('stops on failed validation, says why and registers nothing', async () => {
    const reasons = ['^GSPC: 8,509 flat bars; set from: 1962-01-02.'];
    await scripted({ validation: reasons }, async (calls, id) => {
      await assert.rejects(result(id), (error) => {
        const cause = causeOf(error);
        assert.ok(cause instanceof ApplicationFailure);
        assert.equal(cause.type, 'quality.failed');
        assert.match(cause.message, /8,509 flat bars/);
        return true;
      });
      const names = calls.map((call) => call.name);
      assert.ok(!names.includes('register') && !names.includes('fit'));
      const end = calls.at(-1);
      assert.equal(end?.name, 'finishExperiment');
      assert.equal((end.input as { status: string }).status, 'failed');
      assert.match((end.input as { message: string }).message, /8,509 flat bars/);
    });
  });

  it('skips training when a fitting version exists', async () => {
    const skip = { skip: true as const, version: 4, reason: 'Version 4 fits.' };
    await scripted({ skip }, async (calls, id) => {
      const outcome = await result(id);
      assert.equal(outcome.status, 'skipped');
      assert.equal(outcome.versions[0]?.version, 4);
      assert.ok(!calls.some((call) => call.name === 'fit'));
    });
  });

  it('retries a transient failure and does not repeat the steps before it', async () => {
    const evaluation = {
      evaluation: { uri: 'cas/00', sha256: '00', bytes: 1 },
      servedSeed: 1,
      beatsNaive: false,
      verdict: 'No better than naive.',
    };
    const evaluate = failingFirst(1, new Error('connection reset'), evaluation);
    await scripted({ override: { evaluate } }, async (calls, id) => {
      assert.equal((await result(id)).status, 'completed');
      const names = calls.map((call) => call.name);
      assert.equal(names.filter((name) => name === 'evaluate').length, 2);
      assert.equal(names.filter((name) => name === 'fit').length, 5);
    });
  });

  it('does not retry a permanent failure', async () => {
    const fit = async (): Promise<never> => {
      throw permanent('training.nan-loss', 'the loss became NaN in epoch 3');
    };
    await scripted({ override: { fit }, seeds: [1] }, async (calls, id) => {
      await assert.rejects(result(id), (error) =>
        /NaN in epoch 3/.test(String(causeOf(error).cause)),
      );
      assert.ok(
        calls.filter((call) => call.name === 'fit').length <= 3,
        'one call a family and seed',
      );
      assert.match((calls.at(-1)?.input as { message: string }).message, /NaN in epoch 3/);
    });
  });

  it('finishes the other units when one fails, then fails with the reason', async () => {
    const { activities } = scriptedActivities();
    const buildFeatures: typeof activities.buildFeatures = async (input) => {
      if (input.unit.model === 'index-bad')
        throw permanent('split.too-few', 'index-bad: too few rows');
      return activities.buildFeatures(input);
    };
    const script = { units: ['index-bad', 'index-good'], override: { buildFeatures } };
    await scripted(script, async (calls, id) => {
      await assert.rejects(result(id));
      const registered = calls.filter((call) => call.name === 'register');
      assert.equal(registered.length, 1);
      assert.match((calls.at(-1)?.input as { message: string }).message, /index-bad: too few rows/);
    });
  });

  it('keeps the champion when the policy rejects, and says why', async () => {
    const decision = { verdict: 'reject' as const, reasons: ['p = 0.40 > 0.05'] };
    await scripted({ decision }, async (calls, id) => {
      const outcome = await result(id);
      assert.equal(outcome.versions[0]?.promoted, false);
      assert.match(outcome.versions[0]?.verdict ?? '', /Not promoted: p = 0\.40/);
      assert.ok(!calls.some((call) => call.name === 'announcePromotion'));
    });
  });

  it('withdraws the intent when a replica cannot load the package', async () => {
    const replicas = { status: 'failed' as const, reason: 'replica a: digest differs' };
    await scripted({ replicas }, async (calls, id) => {
      const outcome = await result(id);
      assert.equal(outcome.versions[0]?.promoted, false);
      assert.match(outcome.versions[0]?.verdict ?? '', /digest differs/);
      assert.ok(calls.some((call) => call.name === 'withdrawPromotion'));
      assert.ok(!calls.some((call) => call.name === 'switchChampion'));
    });
  });

  it('cancels its fits and records the end', async () => {
    let fitting: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      fitting = resolve;
    });
    const fit = async (): Promise<never> => {
      fitting();
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 100);
      return context.cancelled.finally(() => clearInterval(beat));
    };
    await scripted({ override: { fit } }, async (calls, id) => {
      const handle = await start(id);
      await started;
      await handle.cancel();
      await assert.rejects(handle.result(), (error) => causeOf(error) instanceof CancelledFailure);
      const end = calls.at(-1);
      assert.equal(end?.name, 'finishExperiment');
      assert.equal((end.input as { status: string }).status, 'cancelled');
    });
  });
});
