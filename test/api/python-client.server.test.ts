import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectRoot } from '../../infra/project.ts';

const python = join(projectRoot, '.tools/venv/bin/python');
const skip = existsSync(python) ? false : 'no Python here: node infra/setup.mjs makes it';
const examples = join(projectRoot, 'examples');

/** What the client of `examples/ratchet_client.py` sends when it launches each of these files. */
async function launched(files: readonly string[]): Promise<unknown[]> {
  const bodies: unknown[] = [];
  const api = createServer((request, answer) => {
    void text(request).then((body) => {
      bodies.push(JSON.parse(body));
      answer.end(JSON.stringify({ id: 'launched' }));
    });
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const program =
    `import sys; sys.path.insert(0, ${JSON.stringify(examples)}); from ratchet_client import Ratchet\n` +
    'for path in sys.argv[1:]: assert Ratchet().launch(path) == "launched"';
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const child = spawn(python, ['-c', program, ...files], {
    env: { ...process.env, RATCHET_URL: url, RATCHET_API_KEY: 'key' },
  });
  const [said] = await Promise.all([
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ]);
  api.close();
  assert.equal(said, '');
  return bodies;
}

test(
  'in Python: the specs of examples/ are sent as `ratchet run` reads them',
  { skip },
  async () => {
    const files = readdirSync(examples)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(examples, name));
    assert.ok(files.length > 10);
    const specs = files.map((file): unknown => parse(readFileSync(file, 'utf8')));
    assert.deepEqual(await launched(files), specs);
  },
);

test('in Python: dates, words and small numbers are what YAML 1.2 says', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-spec-'));
  const file = join(folder, 'spec.yaml');
  const written =
    'day: 1999-01-01\nat: 2024-01-22T00:00:00Z\nwords: [off, yes, no, "1", true]\n' +
    'numbers: [1e-3, 5E-4, -2, +0.5, .25, 3.]\nempty:\nnone: [null, ~]\nclock: 12:30\n';
  writeFileSync(file, written);
  try {
    const [sent] = await launched([file]);
    assert.deepEqual(sent, parse(written));
    assert.deepEqual(sent, {
      day: '1999-01-01',
      at: '2024-01-22T00:00:00Z',
      words: ['off', 'yes', 'no', '1', true],
      numbers: [0.001, 0.0005, -2, 0.5, 0.25, 3],
      empty: null,
      none: [null, null],
      clock: '12:30',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
