import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { groupLives, startedAt, waitUntil } from '../../infra/stack/processes.ts';

const root = join(import.meta.dirname, '../..');
const guard = join(root, 'infra/guard.mjs');
const module = new URL('../../infra/end-with-parent.ts', import.meta.url).href;

/** A process that would live for an hour, and says `on` once it waits. */
function start(code: string, stdin: 'pipe' | 'ignore' = 'pipe') {
  const text = `${code}; setInterval(() => {}, 3_600_000); console.log('on');`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', text];
  return spawn(process.execPath, args, { cwd: root, stdio: [stdin, 'pipe', 'inherit'] });
}

describe('endWithParent', () => {
  test('ends the process when its stdin closes, after what is to be stopped', async () => {
    const child = start(
      `const { endWithParent } = await import('${module}');
       endWithParent(async () => { console.log('stopping'); })`,
    );
    const said: string[] = [];
    child.stdout!.on('data', (chunk) => said.push(String(chunk)));
    await once(child.stdout!, 'data');
    child.stdin!.end();
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
    assert.equal(said.join(''), 'on\nstopping\n');
  });

  test('does not wait for a stop that hangs', async () => {
    const child = start(
      `const { endWithParent } = await import('${module}');
       endWithParent(() => new Promise(() => {}))`,
    );
    await once(child.stdout!, 'data');
    child.stdin!.end();
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
  });

  test('leaves a process without a pipe at stdin alone', async () => {
    const child = start(
      `const { endWithParent } = await import('${module}'); endWithParent()`,
      'ignore',
    );
    await once(child.stdout!, 'data');
    assert.equal(child.exitCode, null);
    child.kill();
    const [, signal] = (await once(child, 'exit')) as [number, string];
    assert.equal(signal, 'SIGTERM');
  });
});

describe('guard', () => {
  const guarded = (...command: readonly string[]) =>
    spawn(process.execPath, [guard, 'SIGTERM', '5000', ...command], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });

  test('ends a program and what it started when its stdin closes', async () => {
    const child = guarded('sh', '-c', 'sleep 3600 & echo $!; wait');
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    assert.ok(Number(String(chunk)) > 0);
    const record = { name: 'guard', pid: child.pid!, started: startedAt(child.pid!) };
    assert.ok(groupLives(record));
    child.stdin.end();
    await once(child, 'exit');
    assert.ok(await waitUntil(() => !groupLives(record), 30_000), 'the group lives on');
  });

  test('kills a program that does not want to end', async () => {
    const child = spawn(
      process.execPath,
      [guard, 'SIGTERM', '50', 'sh', '-c', 'trap "" TERM; echo on; while :; do sleep 1; done'],
      { detached: true, stdio: ['pipe', 'pipe', 'pipe'] },
    );
    await once(child.stdout, 'data');
    child.stdin.end();
    const [, signal] = (await once(child, 'exit')) as [number, string];
    assert.equal(signal, 'SIGKILL');
  });

  test('says that a program ended by itself, or never began', async () => {
    for (const [command, expected] of [
      [['sh', '-c', 'exit 3'], /ended by itself with code 3/],
      [['/no/such/program'], /did not start/],
    ] as const) {
      const child = guarded(...command);
      let said = '';
      child.stderr.on('data', (chunk) => (said += String(chunk)));
      await once(child, 'close');
      assert.match(said, expected);
    }
  });
});
