/**
 * What a user gets for a mistake: one line of the table each, with the sentence that says what is
 * wrong (and, where one can say so, what to do next) and the exit code or status.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EXIT } from '../../api/cli/output.ts';
import { platformMistakes } from '../support/cli-mistakes.ts';
import { lifecycleMistakes } from '../support/lifecycle-mistakes.ts';
import { httpMistakes } from '../support/http-mistakes.ts';
import { assertNoCrash, assertNoSecret, historiesOf, logsOf, secretsOf } from '../support/leaks.ts';
import { MODEL, quickSpec, type MistakeWorld } from '../support/mistake.ts';
import { productMissing, runCli, startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { specMistakes } from '../support/spec-mistakes.ts';

const cliMistakes = [...specMistakes, ...platformMistakes, ...lifecycleMistakes];

/** Words that show the inside of the program instead of what the user did. */
const INSIDE = /\bat .*:\d+:\d+\)?$|node_modules|TypeError|undefined|\[object Object\]|ZodError/m;

describe('mistakes of a user', { skip: productMissing }, () => {
  let product: Product;
  let world: MistakeWorld;
  before(async () => {
    product = await startProduct();
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-mistakes-'));
    const first = await product.run(quickSpec);
    assert.equal(first.status, 'completed', first.message);
    const made = await product.request('POST', '/api/v1/ml-models', {
      name: 'fresh',
      instruments: ['^GSPC'],
    });
    assert.equal(made.status, 201);
    world = { product, folder, experimentId: first.id };
  });
  after(async () => {
    rmSync(world.folder, { recursive: true, force: true });
    await product.end();
  });

  for (const { what, args, env, code, says } of cliMistakes) {
    it(`${what}: exit code ${code}`, async () => {
      const given = await args(world);
      const ended = await runCli(product.stack.config.stateDir, given, await env?.(world));
      const said = `${ended.stderr}${ended.stdout}`;
      assert.equal(ended.code, code, said);
      for (const words of says) assert.match(ended.stderr, words);
      assert.doesNotMatch(ended.stderr, INSIDE);
    });
  }

  for (const { what, ask, status, code, says } of httpMistakes) {
    it(`${what}: ${status} ${code}`, async () => {
      const answer = await ask(world);
      const text = JSON.stringify(answer.body);
      assert.equal(answer.status, status, text);
      assert.equal(answer.body['code'], code);
      assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
      assert.equal(answer.body['requestId'], answer.headers.get('x-request-id'));
      for (const words of says) assert.match(text, words);
      assert.doesNotMatch(String(answer.body['detail']), INSIDE);
    });
  }

  it('knows at least 25 of them', () => {
    assert.ok(cliMistakes.length >= 25);
  });

  it('has left no secret and no crash in logs and histories', async () => {
    const { stack } = product;
    const { stateDir } = stack.config;
    const secrets = secretsOf(stateDir);
    const logs = logsOf(stateDir);
    assert.ok(logs.size >= 5, [...logs.keys()].join());
    assertNoSecret(logs, secrets);
    assertNoCrash(logs);
    const histories = await historiesOf(stack);
    assert.ok(histories.size >= 5, 'experiments and a promotion have run');
    assert.ok(
      [...histories.values()].some((text) => text.includes(MODEL)),
      'payloads are read',
    );
    assertNoSecret(histories, secrets);
  });

  // Last: the stack is down afterwards.
  it('stack down: exit code 5 and how to start it', async () => {
    const { stateDir } = product.stack.config;
    await product.stack.stop();
    const ended = await runCli(stateDir, ['predict', MODEL]);
    assert.equal(ended.code, EXIT.notRunning, ended.stderr);
    assert.match(ended.stderr, /no stack is running/);
    assert.match(ended.stderr, /ratchet up/);
    const again = await runCli(stateDir, ['down']);
    assert.ok(again.code === EXIT.ok || again.code === EXIT.notRunning, again.stderr);
  });
});
