import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { BuiltPackage } from '../../../core/packages/build.ts';
import { decodeFloat64 } from '../../../core/packages/golden.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import { dissimilarityOf } from '../../../core/predict/index.ts';
import { expectedOf, makePackage, testKeys } from '../../support/model-package.ts';
import { findPythonTool } from '../../support/tools.ts';

const run = promisify(execFile);
const python = findPythonTool('python');
const skip = python ? false : 'no Python environment: run `node infra/setup.mjs`';
const script = new URL('../../../examples/reproduce.py', import.meta.url).pathname;

async function reproduce(built: BuiltPackage, change?: (folder: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-python-'));
  try {
    for (const [path, bytes] of built.files) await writeFile(join(folder, path), bytes);
    await change?.(folder);
    return await run(python!, [script, folder]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const options of [{}, { labelKind: 'forwardPrice' }, { monteCarlo: false }]) {
  const words = JSON.stringify(options);
  test(`Python reproduces a package's golden forecasts: ${words}`, { skip }, async () => {
    const { stdout } = await reproduce(await makePackage(options));
    const result = JSON.parse(stdout) as { equal: boolean; forecasts: number[][] };
    assert.equal(result.equal, true);
    assert.equal(result.forecasts.length, 2);
  });
}

test('Python computes the dissimilarity that serving does', { skip }, async () => {
  const built = await makePackage();
  const { golden, outliers, preprocessing } = verifyPackage(
    built.files,
    testKeys,
    expectedOf(built),
  );
  const { stdout } = await reproduce(built);
  const { dissimilarity } = JSON.parse(stdout) as { dissimilarity: number[] };
  const windows = decodeFloat64(golden.windows);
  const [width, size] = [
    preprocessing.featureNames.length,
    preprocessing.lookback * preprocessing.featureNames.length,
  ];
  assert.equal(dissimilarity.length, 2);
  dissimilarity.forEach((value, i) => {
    const end = (i + 1) * size;
    const own = dissimilarityOf(outliers!, windows.slice(end - width, end));
    assert.ok(Math.abs(value / own - 1) < 1e-9, `${value} ${own}`);
  });
});

test('Python notices a file that is not the one listed', { skip }, async () => {
  const tampered = reproduce(await makePackage(), (folder) =>
    writeFile(join(folder, 'golden.json'), '{}'),
  );
  await assert.rejects(tampered, /golden.json is not the file that the manifest lists/);
});
