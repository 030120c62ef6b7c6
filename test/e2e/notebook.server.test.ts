import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { projectRoot } from '../../infra/project.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const python = join(projectRoot, '.tools/venv/bin/python');
const skip =
  productMissing || (existsSync(python) ? false : 'no Python here: node infra/setup.mjs makes it');

/** With `RATCHET_WRITE_NOTEBOOK` set, what the cells print is stored in the notebook. */
const write = process.env['RATCHET_WRITE_NOTEBOOK'] === undefined ? [] : ['--write'];

function runPython(
  product: Product,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env = { ...process.env, RATCHET_URL: product.url, RATCHET_API_KEY: product.key };
  const child = spawn(python, args, {
    cwd: projectRoot,
    env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

describe('examples/notebook.ipynb and the Python client', { skip }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct(['postgres', 'temporal', 's3', 'workers', 'api']);
  });
  after(() => product.end());

  it('prints what the notebook shows: launched, watched, compared, predicted', async () => {
    const runner = join(projectRoot, 'test/support/run_notebook.py');
    const notebook = join(projectRoot, 'examples/notebook.ipynb');
    const { code, stdout, stderr } = await runPython(product, [runner, notebook, ...write]);
    assert.equal(code, 0, stderr);
    const outputs = JSON.parse(stdout) as [string, string][];
    const printed = outputs.map(([, text]) => text);
    if (write.length === 0)
      assert.deepEqual(
        printed,
        outputs.map(([stored]) => stored),
      );
    assert.match(printed[1]!, /register.*\ncompleted\n$/);
    assert.match(printed[2]!, /^version \d: 0\.\d+ .*\nversion \d: 0\.\d+/);
    assert.match(
      printed[3]!,
      /^2024-06-03 [+-]0\.\d+% (up|down|neutral) beats the naive baseline: /,
    );
    assert.match(printed[4]!, /^2024-06-03\n2024-06-04\npredict\./);
  });

  it('says what is wrong in one sentence', async () => {
    const code = 'from ratchet_client import Ratchet; Ratchet().predict("none-such")';
    const path = `import sys; sys.path.insert(0, "examples"); ${code}`;
    const { code: exit, stderr } = await runPython(product, ['-c', path]);
    assert.equal(exit, 1);
    assert.match(stderr, /RuntimeError: 404: There is no model "none-such"/);
  });
});
