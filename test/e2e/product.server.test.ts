import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { projectRoot } from '../../infra/project.ts';
import { openMlflowClient } from '../../registry/mlflow-client.ts';
import { productMissing, smallSpec, startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';

const python = join(projectRoot, '.tools/venv/bin/python');

describe('from real bars to a served champion', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct();
  });
  after(() => product.end());

  const versionOf = async (version: number): Promise<Record<string, unknown>> => {
    const { body } = await product.request('GET', `/api/v1/ml-models/small/versions/${version}`);
    return body;
  };

  it('trains, evaluates, registers and promotes, and says what it found', async () => {
    const experiment = await product.run(smallSpec);
    assert.equal(experiment.status, 'completed', experiment.message);
    assert.match(experiment.message, /naive/);
    const champion = await product.request('GET', '/api/v1/ml-models/small/champion');
    assert.equal((champion.body['champion'] as { version: number }).version, 1);
    assert.ok((await versionOf(1))['packageDigest']);
  });

  it('answers from the champion with version, horizons and confidence', async () => {
    const { status, body } = await product.request('POST', '/api/v1/ml-models/small/predict', {
      instrument: '^GSPC',
    });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body['version'], 1);
    const horizons = body['horizons'] as { horizon: number; confidence: number; price: number }[];
    assert.deepEqual(
      horizons.map((h) => h.horizon),
      [1, 5],
    );
    for (const { confidence, price } of horizons) {
      assert.ok(confidence >= 0.1 && confidence <= 0.9);
      assert.ok(Math.abs(price / 2506.85 - 1) < 0.1, `${price} is near the last close`);
    }
    assert.equal(body['stale'], true, 'the bundled bars end in 2018');
  });

  it('records each prediction', async () => {
    const answer = await product.request('POST', '/api/v1/ml-models/small/predict', {
      instrument: '^GSPC',
    });
    await product.until('the prediction in the registry', async () => {
      const { body } = await product.request('GET', '/api/v1/ml-models/small/predictions');
      return (body['items'] as { id: string }[]).find((row) => row.id === answer.body['id']);
    });
  });

  it('skips training while a fitting version exists, and trains again when forced', async () => {
    const again = await product.run(smallSpec);
    assert.equal(again.status, 'skipped', again.message);
    assert.match(again.message, /1/);
    const forced = await product.run({ ...smallSpec, forceRetrain: true });
    assert.equal(forced.status, 'completed', forced.message);
    assert.ok((await versionOf(2))['packageDigest']);
  });

  it('stops on bars that are not fit to train on, and registers nothing', async () => {
    const strict = { ...smallSpec, model: 'strict', quality: { strict: true, minScore: 0.9 } };
    const experiment = await product.run(strict);
    assert.equal(experiment.status, 'failed');
    assert.match(experiment.message, /jump|GSPC/);
    const { body } = await product.request('GET', '/api/v1/ml-models/strict/versions');
    assert.deepEqual(body['items'], []);
  });

  it('mirrors curves, plots, package, version and alias to MLflow', async () => {
    const url = product.stack.config.mlflowUrl;
    assert.ok(url, 'set-up provides MLflow');
    const mlflow = openMlflowClient(url);
    const version = await product.until('the champion in MLflow', async () => {
      await mlflow.ping().catch(() => undefined);
      return mlflow.versionByAlias('small', 'champion').catch(() => undefined);
    });
    assert.ok(version.run_id);
    const run = await mlflow.getRun(version.run_id);
    const files = await mlflow.listArtifacts(run, '');
    const names = files.join(' ');
    assert.match(names, /package/);
    const plots = (await mlflow.listArtifacts(run, 'plots')).filter((f) => f.endsWith('.png'));
    assert.ok(plots.length >= 2, `plots: ${plots.join(', ')}`);
    const png = Buffer.from(await mlflow.downloadArtifact(run, plots[0]!));
    assert.deepEqual([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
    assert.ok(png.readUInt32BE(16) >= 400, 'a plot wide enough to read');
    const graph = await mlflow.downloadArtifact(run, 'package/model.onnx');
    assert.ok(graph.length > 1000);
    const children = await mlflow.searchRuns(
      run.info.experiment_id,
      `tags.\`mlflow.parentRunId\` = '${run.info.run_id}'`,
    );
    assert.ok(children.length >= 1, 'a child run a seed');
    const curves = await Promise.all(
      children.map((child) => mlflow.metricHistory(child.info.run_id, 'validLoss')),
    );
    assert.ok(
      curves.some((curve) => curve.length === 2),
      'a loss for each epoch',
    );
  });

  it('gives a package whose golden answers Python reproduces', async (t) => {
    if (!existsSync(python)) return t.skip('no Python environment: node infra/setup.mjs');
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-python-'));
    try {
      const mlflow = openMlflowClient(product.stack.config.mlflowUrl!);
      const { run_id: runId } = (await mlflow.versionByAlias('small', 'champion'))!;
      const run = await mlflow.getRun(runId!);
      for (const path of await mlflow.listArtifacts(run, 'package')) {
        writeFileSync(join(folder, basename(path)), await mlflow.downloadArtifact(run, path));
      }
      const script = join(projectRoot, 'examples/reproduce.py');
      const { status, stdout, stderr } = spawnSync(python, [script, folder], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /"equal": true/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
