import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../../infra/stack.ts';
import { Child, type ChildSpec } from '../../infra/stack/child.ts';
import { askDown, askStatus } from '../../infra/stack/control.ts';
import { readSecrets, readStackFile, type StackError } from '../../infra/stack/identity.ts';
import { layoutOf, makeFolders, writePrivate } from '../../infra/stack/layout.ts';
import { startedAt, waitUntil } from '../../infra/stack/processes.ts';
import { endSupervisor, livingSupervisor } from '../../infra/stack/supervisor-record.ts';
import { memoryLog } from '../support/api-fixture.ts';

const newState = (): string => mkdtempSync(join(tmpdir(), 'ratchet-supervisor-'));
const PATIENCE_MS = 20_000;

describe('the supervisor', () => {
  test('of two first starts on one folder at once, one has it and the other is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const stateDir = newState();
      const starts = await Promise.allSettled(
        [1, 2, 3].map(() => startStack({ stateDir, parts: [] })),
      );
      const stacks = starts.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
      try {
        assert.equal(stacks.length, 1, JSON.stringify(starts));
        for (const start of starts) {
          if (start.status === 'fulfilled') continue;
          assert.equal((start.reason as StackError).code, 'stack.already-running');
        }
        const layout = layoutOf(stateDir);
        assert.equal(readStackFile(layout)?.id, stacks[0]!.id);
        assert.ok(readSecrets(layout));
      } finally {
        for (const stack of stacks) await stack.stop();
      }
    }
  });

  test('gives up a control port on which another program speaks another language', async () => {
    const stateDir = newState();
    await (await startStack({ stateDir, parts: [] })).stop();
    const { control } = readStackFile(layoutOf(stateDir))!.ports;
    const stranger = createServer((socket) =>
      socket.on('error', () => undefined).end('220 mail\r\n'),
    );
    await new Promise<void>((resolve) => {
      stranger.listen(control, '127.0.0.1', resolve);
    });
    try {
      const stack = await startStack({ stateDir, parts: [] });
      assert.notEqual(readStackFile(layoutOf(stateDir))!.ports.control, control);
      await stack.stop();
    } finally {
      stranger.close();
    }
  });

  test('a stranger on the control port learns no secret and is not believed', async () => {
    const stateDir = newState();
    const layout = layoutOf(stateDir);
    const first = await startStack({ stateDir, parts: [] });
    const status = first.status();
    await first.stop();
    const heard: string[] = [];
    const stranger = createHttpServer((request, response) => {
      heard.push(JSON.stringify(request.headers));
      // It even knows what a supervisor of this folder would say.
      response.setHeader('x-ratchet-proof', String(request.headers['x-ratchet-proof']));
      response.end(JSON.stringify(status));
    });
    await new Promise<void>((resolve) => {
      stranger.listen(readStackFile(layout)!.ports.control, '127.0.0.1', resolve);
    });
    try {
      assert.equal(await askStatus(layout), undefined);
      assert.equal(await askDown(layout), false);
      assert.equal(heard.length, 2);
      const { control } = readSecrets(layout)!;
      assert.ok(!heard.some((headers) => headers.includes(control)));
    } finally {
      stranger.close();
      stranger.closeAllConnections();
    }
  });

  test('a recorded supervisor that takes no order is killed; one of a reused id is left alone', async () => {
    const layout = layoutOf(newState());
    const program =
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('on')";
    const deaf = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(deaf, 'exit');
    try {
      await once(deaf.stdout, 'data');
      const record = { pid: deaf.pid!, started: startedAt(deaf.pid!) };
      writePrivate(layout.supervisorFile, JSON.stringify({ ...record, started: '1' }));
      assert.equal(livingSupervisor(layout), undefined);
      await endSupervisor(layout, { ...record, started: '1' }, 0);
      assert.equal(deaf.signalCode, null);
      writePrivate(layout.supervisorFile, JSON.stringify(record));
      assert.deepEqual(livingSupervisor(layout), record);
      await endSupervisor(layout, record, 100);
      assert.deepEqual(await ended, [null, 'SIGKILL']);
      assert.equal(livingSupervisor(layout), undefined);
    } finally {
      deaf.kill('SIGKILL');
    }
  });

  test('a record cut by a crash, or of a process that is gone, names nobody', () => {
    const layout = layoutOf(newState());
    assert.equal(livingSupervisor(layout), undefined);
    for (const text of [
      '',
      '{"pid": 1',
      '{"pid": -1, "started": "5"}',
      '{"pid": 1, "started": ""}',
    ]) {
      writePrivate(layout.supervisorFile, text);
      assert.equal(livingSupervisor(layout), undefined, text);
    }
  });

  test('a child that answered and died before anybody looked is not ready', async () => {
    const layout = layoutOf(newState());
    makeFolders(layout);
    const ended = (): boolean => child.pid === undefined;
    const spec: ChildSpec = {
      name: 'brief',
      title: 'a brief program',
      command: process.execPath,
      args: ['-e', ''],
      env: {},
      cwd: layout.stateDir,
      guarded: false,
      stopSignal: 'SIGTERM',
      stopMs: 1_000,
      // The answer comes while it lives, and is looked at when it is gone.
      probe: () => waitUntil(ended, PATIENCE_MS),
      readyMs: PATIENCE_MS,
    };
    const child = new Child(spec, layout, memoryLog());
    await assert.rejects(child.start(), { code: 'stack.child-ended' });
    await child.stop();
  });
});
