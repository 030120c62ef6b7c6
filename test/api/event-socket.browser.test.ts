/** Events over a WebSocket in a real browser: what a page can send, and what pages from elsewhere cannot. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { appendEvent, endExperiment } from '../../registry/experiments.ts';
import { createKey } from '../../registry/keys.ts';
import { openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { listenWith, type Frame, type ListeningApi } from '../support/event-socket.ts';
import { addExperiment } from '../support/registry-facts.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `no browser at ${CHROMIUM}`;

interface Seen {
  readonly opened: boolean;
  readonly protocol: string;
  readonly frames: readonly Frame[];
  readonly code: number;
}

/** Runs in the page: opens one and says what came of it once it is closed. */
const WATCH = `([url, protocols]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  const frames = [];
  let opened = false;
  socket.onopen = () => (opened = true);
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  socket.onclose = ({ code }) => resolve({ opened, protocol: socket.protocol, frames, code });
})`;

describe('events over a WebSocket in a browser', { skip }, () => {
  let fixture: ApiFixture;
  let api: ListeningApi;
  let browser: Browser;
  let page: Page;
  let token: string;
  before(async () => {
    fixture = await openApiFixture();
    api = await listenWith(await fixture.open('a'));
    const key = { name: 'page', scopes: ['read'], models: [], expiresAt: null } as const;
    ({ token } = await createKey(fixture.db, key));
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    page = await browser.newPage();
  });
  after(async () => {
    await browser?.close();
    await api.close();
    await fixture.close();
  });

  const watch = (id: string, key: string): Promise<Seen> => {
    const url = `ws://${api.host}/api/v1/experiments/${id}/events`;
    const asked = JSON.stringify([url, ['ratchet.events.v1', `ratchet.key.${key}`]]);
    return page.evaluate(`(${WATCH})(${asked})`);
  };

  it('reaches a page of the server itself, under the rules of its documentation page', async () => {
    const id = await addExperiment(fixture.db, 201);
    await page.goto(`http://${api.host}/docs`);
    const seen = watch(id, token);
    await appendEvent(fixture.db, { experimentId: id, kind: 'epoch', payload: { epoch: 1 } });
    await endExperiment(fixture.db, id, { status: 'completed', message: 'well' });
    const { opened, protocol, frames, code } = await seen;
    assert.deepEqual([opened, protocol, code], [true, 'ratchet.events.v1', 1000]);
    const told = frames.map(({ event, data }) => [event, data['payload']]);
    assert.deepEqual(told[0], ['epoch', { epoch: 1 }]);
    assert.equal(told.at(-1)![0], 'done');
    const wrong = await watch(id, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`);
    assert.deepEqual([wrong.opened, wrong.frames], [false, []]);
  });

  it('opens for no page of another origin on this machine, nor for one of none', async () => {
    const id = await addExperiment(fixture.db, 202);
    const other = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<title>elsewhere</title>');
    });
    await new Promise<void>((resolve) => other.listen(0, 'localhost', resolve));
    const { port } = other.address() as AddressInfo;
    for (const address of [`http://localhost:${port}`, 'data:text/html,<title>none</title>']) {
      await page.goto(address);
      const { opened, frames } = await watch(id, token);
      assert.deepEqual([opened, frames], [false, []], address);
    }
    other.close();
  });
});
