/** Stored backtests side by side, those of before settings and ISO times were stored among them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { originText } from '../../../core/backtest/report/index.ts';
import { run, type Outcome } from '../../support/cli-run.ts';
import { sp500 } from '../../support/example-bars.ts';
import { backtestOf, newest } from '../../core/backtest/report-scene.ts';

const result = JSON.stringify(backtestOf('rsi', [newest(sp500(), 600)]));
const models = [{ version: '2', from: Date.UTC(2020, 0, 2), to: Date.UTC(2020, 0, 31) }];
const origin = (exitAt: number) =>
  originText({ models, settings: { rsi: { kind: 'rsi', period: 14, exitAt } } });

/** `ratchet backtests ...` of a server that has these origins by id; empty: none. */
async function compared(
  origins: Readonly<Record<string, string>>,
  folder: string,
): Promise<Outcome> {
  const server = createServer(({ url = '' }, answer) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const id = pathname.split('/')[4] ?? '';
    answer.setHeader('content-type', 'application/json');
    // By name, where it is no id.
    if (id === '') answer.end(JSON.stringify({ items: [{ id: searchParams.get('name') }] }));
    else if (url.endsWith('/files/origin.json')) answer.end(origins[id]);
    else if (url.includes('/files/')) answer.end(result);
    else {
      const files = ['result-rsi.json', ...(origins[id] === '' ? [] : ['origin.json'])];
      const row = { id, name: id, status: 'completed', results: [{ strategy: 'rsi' }], files };
      answer.end(JSON.stringify(row));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ids = Object.keys(origins);
    return await run({ url, key: 'rk_test' }, 'backtests', ...ids, '-o', folder);
  } finally {
    server.close();
  }
}

test('settings in which they differ are told in the terminal and on the page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-compare-'));
  try {
    const both = await compared({ wide: origin(70), near: origin(50) }, folder);
    assert.equal(both.code, 0, both.error);
    assert.match(both.text, /they differ in +wide rsi +near rsi\n.*\nStrategy: exitAt +70 +50\n/);
    assert.doesNotMatch(both.text, /period|not recorded/);
    const page = readFileSync(join(folder, 'comparison.html'), 'utf8');
    assert.match(page, /Strategy: exitAt<\/td><td[^>]*>70<\/td><td[^>]*>50</);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('those of before are read: times in milliseconds, no settings, no origin', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-compare-'));
  try {
    const old = JSON.stringify({ models, codeVersion: '1' });
    const all = await compared({ now: origin(70), old, oldest: '' }, folder);
    assert.equal(all.code, 0, all.error);
    assert.match(all.text, /Settings of strategies are not recorded of old rsi, oldest rsi\./);
    assert.match(all.text, /They do not differ in rules\./);
    const page = readFileSync(join(folder, 'comparison.html'), 'utf8');
    assert.match(page, /Settings of strategies are not recorded of old rsi and oldest rsi/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
