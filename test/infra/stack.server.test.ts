import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startStack } from '../../infra/stack.ts';
import { askDown } from '../../infra/stack/control.ts';
import { externalFrom } from '../../infra/stack/environment.ts';
import { readStackFile, StackError, writeStackFile } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { readRecords, waitUntil } from '../../infra/stack/processes.ts';
import {
  assertNothingLeft,
  newState,
  PARTS,
  PATIENCE_MS,
  provided,
  query,
  ratchet,
  skipStack,
  untilReady,
  upArgs,
} from '../support/stack.ts';

describe('the stack', { skip: skipStack }, () => {
  test('stands, is private, refuses a second one, ends without a trace', async () => {
    const state = newState();
    const first = ratchet(state, ...upArgs, '--json');
    await untilReady(state);

    const layout = layoutOf(state);
    assert.equal(statSync(state).mode & 0o777, 0o700);
    for (const file of [
      layout.secretsFile,
      join(layout.keys, 'signing.pem'),
      join(layout.keys, 'admin.key'),
    ]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file);
    }
    assert.deepEqual(await query(state, 'SHOW data_checksums'), ['on']);
    assert.deepEqual(await query(state, 'SHOW listen_addresses'), ['127.0.0.1']);

    const second = await ratchet(state, ...upArgs).ended;
    assert.equal(second.code, 4);
    assert.match(second.stderr, /running already \(supervisor pid \d+/);
    assert.match(second.stderr, new RegExp(`pid ${first.pid}`));

    const status = await ratchet(state, 'status', '--json').ended;
    assert.equal(status.code, 0, status.stderr);
    const said = JSON.parse(status.stdout) as { parts: { name: string; state: string }[] };
    assert.deepEqual(said.parts.map((part) => `${part.name} ${part.state}`).sort(), [
      'postgres ready',
      's3 ready',
      'temporal ready',
    ]);
    const doctor = await ratchet(state, 'doctor').ended;
    assert.match(doctor.stdout, /database +answers, checksums on/);
    assert.match(doctor.stdout, /artifacts +s3 answers/);
    assert.match(doctor.stdout, /temporal +namespace default answers/);

    const records = readRecords(layout.run);
    assert.equal(records.length, PARTS.length);
    const down = await ratchet(state, 'down').ended;
    assert.equal(down.code, 0, down.stderr);
    const { code, stdout } = await first.ended;
    assert.equal(code, 0);
    assert.ok((JSON.parse(stdout) as { ready: boolean }).ready);
    await assertNothingLeft(state, records);
    assert.equal(existsSync(join(layout.run, 'postgres.json')), false);

    const again = await ratchet(state, 'down').ended;
    assert.equal(again.code, 0);
    assert.match(again.stdout, /nothing was running/);
    assert.equal((await ratchet(state, 'status').ended).code, 5);
  });

  test('a supervisor that is stopped is named by up and ended by down, with its children', async () => {
    const state = newState();
    const first = ratchet(state, 'up', '--parts', 's3');
    await untilReady(state);
    const records = readRecords(layoutOf(state).run);
    assert.equal(records.length, 1);
    first.kill('SIGSTOP');
    try {
      for (const args of [['up'], ['up', '--detach']]) {
        const second = await ratchet(state, ...args, '--parts', 's3').ended;
        assert.equal(second.code, 4, second.stderr);
        assert.match(
          second.stderr,
          new RegExp(`\\(pid ${first.pid}\\) is alive but does not answer`),
        );
        assert.match(second.stderr, /ratchet down/);
      }
      const down = await ratchet(state, 'down').ended;
      assert.equal(down.code, 0, down.stderr);
      assert.match(down.stdout, new RegExp(`pid ${first.pid}\\) does not answer: it is ended`));
    } finally {
      first.kill('SIGKILL');
    }
    await first.ended;
    await assertNothingLeft(state, records);
    const again = await ratchet(state, 'down').ended;
    assert.match(again.stdout, /nothing was running/);
  });

  test('a supervisor that speaks another language is named by up and ended by down', async () => {
    const state = newState();
    const layout = layoutOf(state);
    const first = ratchet(state, 'up', '--parts', 's3');
    await untilReady(state);
    const records = readRecords(layout.run);
    const secrets = JSON.parse(readFileSync(layout.secretsFile, 'utf8')) as object;
    writeFileSync(layout.secretsFile, JSON.stringify({ ...secrets, control: 'x'.repeat(32) }));
    try {
      for (const args of [['up'], ['up', '--detach']]) {
        const second = await ratchet(state, ...args, '--parts', 's3').ended;
        assert.equal(second.code, 4, second.stderr);
        assert.match(
          second.stderr,
          new RegExp(`\\(pid ${first.pid}\\) is alive but does not answer`),
        );
      }
      const down = await ratchet(state, 'down').ended;
      assert.equal(down.code, 0, down.stderr);
      assert.equal((await first.ended).code, 0);
    } finally {
      first.kill('SIGKILL');
    }
    await assertNothingLeft(state, records);
    assert.equal(existsSync(layout.supervisorFile), false);
  });

  test('a server that dies is started again', async () => {
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: ['s3'] });
    try {
      const before = stack.status().parts[0]!;
      process.kill(-before.pid!, 'SIGKILL');
      const back = await waitUntil(() => {
        const [now] = stack.status().parts;
        return now?.state === 'ready' && now.restarts === 1;
      }, PATIENCE_MS);
      assert.ok(back, JSON.stringify(stack.status()));
      assert.notEqual(stack.status().parts[0]?.pid, before.pid);
    } finally {
      await stack.stop();
    }
    await assertNothingLeft(state);
  });

  test('a port that another program took meanwhile is given up for another one', async () => {
    const state = newState();
    const first = await startStack({ stateDir: state, parts: ['s3'] });
    const { ports } = readStackFile(layoutOf(state))!;
    await first.stop();
    const { createServer } = await import('node:http');
    const stranger = createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => {
      stranger.listen(ports.s3, '127.0.0.1', resolve);
    });
    try {
      const second = await startStack({ stateDir: state, parts: ['s3'] });
      const moved = readStackFile(layoutOf(state))!.ports;
      await second.stop();
      assert.notEqual(moved.s3, ports.s3);
      assert.equal(moved.postgres, ports.postgres);
    } finally {
      stranger.close();
      stranger.closeAllConnections();
    }
  });

  test('the file of another Temporal version is refused before it is opened', async () => {
    const state = newState();
    await (await startStack({ stateDir: state, parts: ['temporal'] })).stop();
    const layout = layoutOf(state);
    writeStackFile(layout, { ...readStackFile(layout)!, temporal: 'temporal version 9.9' });
    await assert.rejects(startStack({ stateDir: state, parts: ['temporal'] }), (error) => {
      assert.ok(error instanceof StackError);
      assert.equal(error.code, 'stack.temporal-version');
      return true;
    });
    await assertNothingLeft(state);
  });

  test('without an S3 server artifacts lie in a directory, without Temporal the cure is told', async () => {
    const { s3: _, temporal: __, ...less } = provided;
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: ['s3'], provided: less });
    assert.equal(stack.config.s3, undefined);
    assert.deepEqual(stack.status().parts, []);
    await stack.stop();
    const missing = startStack({ stateDir: state, parts: ['temporal'], provided: less });
    await assert.rejects(missing, /temporal is not on this machine. To have it: node infra\/setup/);
  });

  test('a server of the operator takes the place of the embedded one', async () => {
    const [state, other] = [newState(), newState()];
    const theirs = await startStack({ stateDir: other, parts: ['postgres'] });
    const external = externalFrom({ RATCHET_DATABASE_URL: theirs.env['RATCHET_DATABASE_URL'] });
    const stack = await startStack({ stateDir: state, parts: ['postgres'], external });
    assert.deepEqual(stack.status().parts, []);
    assert.equal(stack.config.databaseUrl, theirs.config.databaseUrl);
    await stack.stop();
    await theirs.stop();
  });

  test('a supervisor takes no order from who does not know its secret', async () => {
    const state = newState();
    const stack = await startStack({ stateDir: state, parts: [] });
    const { ports } = readStackFile(layoutOf(state))!;
    const url = `http://127.0.0.1:${ports.control}`;
    for (const proof of ['', 'wrong', 'a'.repeat(64)]) {
      const headers = { 'x-ratchet-nonce': '1', 'x-ratchet-proof': proof };
      const response = await fetch(`${url}/down`, { method: 'POST', headers });
      assert.equal(response.status, 401);
    }
    let asked = false;
    void stack.downAsked.then(() => {
      asked = true;
    });
    assert.equal(await askDown(layoutOf(state)), true);
    await stack.downAsked;
    assert.equal(asked, true);
    await stack.stop();
  });
});
