import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const setup = join(root, 'infra/setup.mjs');
const parts = join(root, '.tools/parts.json');

describe('set-up', { skip: existsSync(parts) ? false : 'node infra/setup.mjs was not run' }, () => {
  test('a second run starts no process at all', () => {
    const first = spawnSync(process.execPath, [setup], { cwd: root, encoding: 'utf8' });
    assert.equal(first.status, 0, first.stdout + first.stderr);
    // Nothing on PATH but what set-up only looks at: a process it wanted to start would be missed.
    const second = spawnSync(process.execPath, [setup], { cwd: root, encoding: 'utf8' });
    assert.match(second.stdout, /set-up ready in [\d.]+ s \(nothing to do\)/);
  });

  test('says for every part whether it is here, and what to do when it is not', () => {
    const found = JSON.parse(readFileSync(parts, 'utf8')) as Record<
      string,
      { state: string; detail: string; fix?: string }
    >;
    for (const name of [
      'npm',
      'postgres',
      'temporal',
      's3',
      'mlflow',
      'tensorflow',
      'tfjs',
      'trees',
    ]) {
      const part = found[name];
      assert.ok(part, `${name} is not in parts.json`);
      assert.ok(part.state === 'ready' || part.fix, `${name} is missing and no command is named`);
    }
  });

  test('runs from another folder', () => {
    const { status, stdout } = spawnSync(process.execPath, [setup, '--quiet'], {
      cwd: tmpdir(),
      encoding: 'utf8',
    });
    assert.equal(status, 0);
    assert.match(stdout, /nothing to do/);
  });
});

const jars = join(root, '.tools/test-server');

describe(
  'test server',
  { skip: existsSync(jars) ? false : 'node infra/setup.mjs --tests was not run' },
  () => {
    test('is taken only with the pinned bytes of every jar', async () => {
      const { checkJars } = (await import(
        new URL('../../infra/setup/test-server.mjs', import.meta.url).href
      )) as { checkJars(folder: string): number };
      const folder = mkdtempSync(join(tmpdir(), 'ratchet-jars-'));
      after(() => rmSync(folder, { recursive: true }));
      cpSync(jars, folder, { recursive: true });
      assert.ok(checkJars(folder) > 30);
      writeFileSync(join(folder, 'gson-2.10.1.jar'), 'other bytes');
      assert.throws(() => checkJars(folder), /not the pinned bytes: gson-2\.10\.1\.jar/);
      unlinkSync(join(folder, 'gson-2.10.1.jar'));
      assert.throws(() => checkJars(folder), /not delivered: gson-2\.10\.1\.jar/);
      cpSync(join(jars, 'gson-2.10.1.jar'), join(folder, 'gson-2.10.1.jar'));
      writeFileSync(join(folder, 'extra.jar'), '');
      assert.throws(() => checkJars(folder), /not the pinned bytes: extra\.jar/);
    });
  },
);

describe('steps', async () => {
  const { runSteps, earlier } = (await import(
    new URL('../../infra/setup/steps.mjs', import.meta.url).href
  )) as StepsModule;
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-steps-'));
  after(() => rmSync(folder, { recursive: true }));
  const silent = { started() {}, say() {}, finished() {} };
  const name = (text: string): string => `test-${process.pid}-${text}`;
  const stamps = join(root, '.tools/stamps');
  after(() => {
    for (const text of ['once', 'fails', 'needs', 'free', 'output']) {
      rmSync(join(stamps, `${name(text)}.json`), { force: true });
    }
  });

  test('a step runs again only when its key changed or what it made is gone', async () => {
    const output = join(folder, 'made');
    let key = 1;
    let runs = 0;
    const step: Step = {
      name: name('output'),
      title: '',
      key: () => key,
      outputs: [output],
      run: () => {
        runs += 1;
        writeFileSync(output, '');
        return Promise.resolve({ state: 'ready', detail: '' });
      },
    };
    await runSteps([step], silent);
    await runSteps([step], silent);
    assert.equal(runs, 1);
    assert.equal(earlier(step)?.state, 'ready');
    rmSync(output);
    await runSteps([step], silent);
    assert.equal(runs, 2);
    key = 2;
    await runSteps([step], silent);
    assert.equal(runs, 3);
  });

  test('a step that fails stops those that need it and no others, and is tried again', async () => {
    let fails = true;
    const steps: Step[] = [
      {
        name: name('fails'),
        title: '',
        key: () => 0,
        run: () =>
          fails
            ? Promise.reject(new Error('the disk is full'))
            : Promise.resolve({ state: 'ready', detail: 'now' }),
      },
      {
        name: name('needs'),
        title: '',
        after: [name('fails')],
        key: () => 0,
        run: () => Promise.resolve({ state: 'ready', detail: '' }),
      },
      {
        name: name('free'),
        title: '',
        key: () => 0,
        run: () => Promise.resolve({ state: 'ready', detail: '' }),
      },
    ];
    const first = await runSteps(steps, silent);
    assert.equal(first[name('fails')]?.state, 'missing');
    assert.equal(first[name('fails')]?.detail, 'the disk is full');
    assert.equal(first[name('needs')]?.state, 'missing');
    assert.equal(first[name('free')]?.state, 'ready');
    fails = false;
    const second = await runSteps(steps, silent);
    assert.equal(second[name('needs')]?.state, 'ready');
  });
});

interface Part {
  state: 'ready' | 'missing';
  detail: string;
}
interface Step {
  name: string;
  title: string;
  after?: string[];
  outputs?: string[];
  key: () => unknown;
  run: () => Promise<Part>;
}
interface StepsModule {
  runSteps(steps: Step[], progress: object): Promise<Record<string, Part>>;
  earlier(step: Step): Part | undefined;
}
