import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { barNameLike, shortBarName } from '../../api/cli/bar-times.ts';
import { createOutput, EXIT, exitCodeOf, formatTable } from '../../api/cli/output.ts';

const root = join(import.meta.dirname, '../..');
const state = mkdtempSync(join(tmpdir(), 'ratchet-cli-'));
after(() => rmSync(state, { recursive: true }));

function ratchet(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { RATCHET_URL: _url, RATCHET_API_KEY: _key, ...rest } = process.env;
  return spawnSync(process.execPath, ['--import', 'tsx', join(root, 'api/cli/main.ts'), ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...rest, RATCHET_STATE: join(state, 'none'), ...env },
  });
}

describe('mistakes', () => {
  const cases: readonly {
    readonly name: string;
    readonly args: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
    readonly code: number;
    readonly says: RegExp;
  }[] = [
    { name: 'no such command', args: ['upp'], code: 2, says: /unknown command 'upp'[\s\S]*up\?/ },
    { name: 'no such option', args: ['up', '--detached'], code: 2, says: /unknown option/ },
    {
      name: 'no such part',
      args: ['up', '--parts', 'postgres,redis'],
      code: 2,
      says: /no part "redis"[\s\S]*postgres, temporal, s3/,
    },
    { name: 'not running', args: ['status'], code: 5, says: /not running.*ratchet up/ },
    {
      name: 'a bad setting',
      args: ['status'],
      env: { RATCHET_LOG_LEVEL: 'loud' },
      code: 2,
      says: /RATCHET_LOG_LEVEL/,
    },
    {
      name: 'a bad port',
      args: ['status'],
      env: { RATCHET_API_PORT: 'http' },
      code: 2,
      says: /RATCHET_API_PORT/,
    },
  ];
  for (const { name, args, env, code, says } of cases) {
    test(name, () => {
      const { status, stdout, stderr } = ratchet(args, env);
      assert.match(stdout + stderr, says);
      assert.equal(status, code);
      assert.ok(!/\n\s+at .*\.ts:\d+/.test(stderr), `no stack trace for a user: ${stderr}`);
    });
  }

  test('a state folder of something else is told, not overwritten', () => {
    const folder = join(state, 'strange');
    ratchet(['down'], { RATCHET_STATE: folder });
    const other = mkdtempSync(join(state, 'other-'));
    writeFileSync(join(other, 'stack.json'), '{"format":99}');
    const { status, stderr } = ratchet(['status'], { RATCHET_STATE: other });
    assert.match(stderr, /was not written by this version/);
    assert.notEqual(status, 0);
  });
});

describe('help and JSON', () => {
  test('help lists the commands and the exit codes', () => {
    const { status, stdout } = ratchet(['--help']);
    assert.equal(status, 0);
    for (const word of ['up', 'down', 'status', 'doctor']) {
      assert.match(stdout, new RegExp(`^  ${word}\\b`, 'm'));
    }
    for (const code of Object.values(EXIT)) assert.match(stdout, new RegExp(`^  ${code} `, 'm'));
  });

  test('help says which end of a day a date alone means', () => {
    const means = (command: string): string =>
      ratchet([command, '--help']).stdout.replaceAll(/\s+/g, ' ');
    assert.match(means('predict'), /--as-of <time> .*a date \(its end: the last bar of that day\)/);
    for (const command of ['settle', 'monitor', 'drift', 'replay']) {
      assert.match(means(command), /a date \(its start, 00:00 UTC\)/, command);
    }
  });

  test('a mistake that the API finds is told of the option', async (t) => {
    const answer = { code: 'query.invalid', detail: '/asOfTo: ISO 8601 with a zone', issues: [] };
    const server = createServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const argv = ['predictions', 'index-gspc', '--as-of-to', 'soon'];
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(root, 'api/cli/main.ts'), ...argv],
      {
        cwd: root,
        env: { ...process.env, RATCHET_URL: `http://127.0.0.1:${port}`, RATCHET_API_KEY: 'rk' },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const [error, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    assert.match(error, /^error: --as-of-to: ISO 8601 with a zone$/m);
    assert.equal(code, EXIT.usage);
  });

  test('a reader that stops reading is no failure', async () => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(root, 'api/cli/main.ts'), '--help'],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stdout.destroy();
    const [error, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    assert.deepEqual([code, /EPIPE/.test(error)], [EXIT.ok, false], error);
  });

  test('--json is one document on stdout, wherever it stands on the line', () => {
    for (const args of [
      ['--json', 'status'],
      ['status', '--json'],
    ]) {
      const { status, stdout } = ratchet(args);
      assert.equal((JSON.parse(stdout) as { running: boolean }).running, false);
      assert.equal(status, EXIT.notRunning);
    }
  });
});

describe('usage errors under --json', () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['--json', 'up', '--detached'], /^unknown option '--detached'/],
    [['up', '--detached', '--json'], /^unknown option '--detached'/],
    [['--json', 'upp'], /^unknown command 'upp'/],
    [['--json', 'watch'], /^missing required argument/],
    [['--json'], /^a command is missing$/],
  ];
  for (const [args, message] of cases) {
    test(args.join(' '), () => {
      const { status, stdout, stderr } = ratchet(args);
      const { error } = JSON.parse(stderr) as { error: { message: string; exitCode: number } };
      assert.match(error.message, message);
      assert.deepEqual([status, error.exitCode, stdout], [EXIT.usage, EXIT.usage, '']);
    });
  }
});

describe('names of bars', () => {
  test('daily bars have a date, others a time to the minute', () => {
    assert.equal(barNameLike('2018-12-31T00:00:00.000Z', '2019-01-10'), '2018-12-31');
    const hourly = '2019-01-10T15:00:00.000Z';
    assert.equal(barNameLike('2018-12-31T00:00:00.000Z', hourly), '2018-12-31T00:00Z');
    assert.equal(shortBarName(hourly), '2019-01-10T15:00Z');
    assert.equal(shortBarName('2019-01-10'), '2019-01-10');
  });
});

describe('output', () => {
  const sink = () => {
    const written: string[] = [];
    const stream = new Writable({
      write: (chunk, _encoding, next) => {
        written.push(String(chunk));
        next();
      },
    });
    return { stream, text: () => written.join('') };
  };
  const rows = [
    { name: 'a', n: 7 },
    { name: 'longer', n: undefined },
  ];
  const columns = [
    { title: 'name', value: (row: (typeof rows)[number]) => row.name },
    { title: 'n', value: (row: (typeof rows)[number]) => row.n, align: 'right' as const },
  ];

  test('a table lines up, numbers right, a hole as a dash', () => {
    assert.deepEqual(formatTable(rows, columns), [
      'name    n',
      '------  -',
      'a       7',
      'longer  -',
    ]);
  });

  test('under --json only data is written', () => {
    const { stream, text } = sink();
    const out = createOutput(stream, () => true);
    out.line('for people');
    out.progress('for people');
    out.table(rows, columns);
    assert.deepEqual(JSON.parse(text()), [{ name: 'a', n: 7 }, { name: 'longer' }]);
  });

  test('without a terminal progress is plain lines', () => {
    const { stream, text } = sink();
    const out = createOutput(stream, () => false);
    out.progress('one');
    out.progress('two');
    out.endProgress();
    out.data({ not: 'shown' });
    assert.equal(text(), 'one\ntwo\n');
  });

  test('each status of the API has its exit code', () => {
    const codes = [200, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503].map(exitCodeOf);
    assert.deepEqual(codes, [0, 2, 6, 6, 3, 4, 2, 2, 4, 1, 5]);
  });
});
