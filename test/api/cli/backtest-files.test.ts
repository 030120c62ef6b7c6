/** Names of files come from the server: none of them leaves the folder. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, type Outcome } from '../../support/cli-run.ts';

const ID = '01JBACKTEST00000000000000A';

/** `ratchet backtests ID -o FOLDER/out` of a server that says these files are there. */
async function downloaded(files: readonly unknown[], folder: string): Promise<Outcome> {
  const server = createServer(({ url = '' }, answer) => {
    answer.setHeader('content-type', 'application/json');
    const row = { id: ID, name: 'x', status: 'completed', message: 'done', results: [], files };
    answer.end(url.includes('/files/') ? 'bytes' : JSON.stringify(row));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return await run({ url, key: 'rk_test' }, 'backtests', ID, '-o', join(folder, 'out'));
  } finally {
    server.close();
  }
}

test('files are written into the folder, and no name leads out of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-files-'));
  try {
    const names = ['report.html', 'equity-model.csv', 'price-^GSPC.png', 'rate-EURUSD=X.png'];
    const good = await downloaded(names, folder);
    assert.equal(good.code, 0, good.error);
    assert.deepEqual(readdirSync(join(folder, 'out')).sort(), names.toSorted());
    rmSync(join(folder, 'out'), { recursive: true });
    for (const name of ['../evil', '/tmp/evil', 'a/b', '.', '..', '', 'a\\b', 'a\0b', 7, null]) {
      const { code, error } = await downloaded(['report.html', name], folder);
      assert.equal(code, 1, String(name));
      assert.match(error, /would lie elsewhere/);
      assert.ok(!existsSync(join(folder, 'out')), 'nothing is written at all');
      assert.deepEqual(readdirSync(folder), []);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
