import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { violations } from './support/import-rules.ts';
import { cycles, loadedBy, readSources } from './support/imports.ts';
import { workflowBundle } from './support/temporal.ts';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..');
const FOLDERS = ['core', 'workflows', 'activities', 'workers', 'api', 'registry', 'infra'];
const sources = readSources(root, FOLDERS);
const planted = join(import.meta.dirname, 'fixtures/architecture');

describe('import rules', () => {
  test('hold in the whole tree', () => {
    assert.deepEqual(violations(sources), []);
  });

  test('there is no cycle of runtime imports', () => {
    assert.deepEqual(cycles(sources), []);
  });

  const files = readSources(planted, FOLDERS);
  const told = violations(files);
  for (const { path } of files) {
    // The first line of a planted file says what must be told about it; `fine` says that nothing may.
    const expected = readFileSync(join(planted, path), 'utf8').split('\n')[0]!.slice(3);
    test(`planted ${path}: ${expected}`, () => {
      const mine = told.filter((text) => text.startsWith(`${path}:`));
      if (expected === 'fine') return assert.deepEqual(mine, []);
      assert.equal(mine.length, 1, `told: ${mine.join('; ')}`);
      return assert.ok(mine[0]!.includes(expected), mine[0]);
    });
  }

  test('a planted cycle is found', () => {
    const [cycle] = cycles(files);
    assert.deepEqual(new Set(cycle), new Set(['infra/cycle-a.ts', 'infra/cycle-b.ts']));
  });
});

describe('processes', () => {
  const HEAVY = /^(@tensorflow\/|koffi|@duckdb\/|ccxt|@temporalio\/worker)/;
  const entry = 'api/server.ts';

  test('the API process loads no TensorFlow, koffi, DuckDB or worker', () => {
    assert.ok(existsSync(join(root, entry)), `${entry} is missing`);
    const heavy = [...loadedBy(entry, sources)].filter(([to]) => HEAVY.test(to));
    assert.deepEqual(heavy, []);
  });

  test('the walk sees what a process does load', () => {
    const loaded = loadedBy('workers/run.ts', sources);
    assert.ok(loaded.has('@temporalio/worker'), 'workers/run.ts loads @temporalio/worker');
  });
});

test('the workflow bundle holds only workflows/ and @temporalio/*', async () => {
  const { code } = await workflowBundle();
  // What Temporal's own packages are made of comes with them.
  const ofTemporal = new Set(
    ['workflow', 'common'].flatMap((name) => {
      const file = join(root, 'node_modules/@temporalio', name, 'package.json');
      return Object.keys((JSON.parse(readFileSync(file, 'utf8')) as Manifest).dependencies ?? {});
    }),
  );
  const encoded = /sourceMappingURL=data:[^,]+base64,([A-Za-z0-9+/=]+)/.exec(code)?.[1];
  assert.ok(encoded, 'the bundle carries its source map');
  const map = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as { sources: string[] };
  const strangers = map.sources
    .map((source) => source.replaceAll('\\', '/'))
    .filter((source) => !/(^|\/)webpack\//.test(source) && !source.includes(`${root}/workflows/`))
    .filter((source) => {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1];
      return name === undefined || !(name.startsWith('@temporalio/') || ofTemporal.has(name));
    });
  assert.deepEqual(strangers, []);
});

test('lint reports a planted un-awaited activity', () => {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const file = 'test/fixtures/lint/unawaited-activity.ts';
  const args = [oxlint, '--type-aware', '-f', 'json', file];
  const { stdout, status } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string }[] };
  assert.deepEqual(
    diagnostics.map(({ code }) => code),
    ['typescript(no-floating-promises)'],
  );
  assert.notEqual(status, 0);
});

test('no file that git keeps names a machine or a package host', () => {
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  const files = listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
  const own = 'test/architecture.test.ts';
  const traces =
    /\/(?:root|home|Users)\/\w|\/work\/|registry\.npmjs\.org|pypi\.org|proxy\.golang\.org/;
  const bad = files.filter(
    (file) =>
      file !== own &&
      /\.(ts|mjs|js|json|md|ya?ml|txt|sh|sql)$|^\.ci\//.test(file) &&
      traces.test(readFileSync(join(root, file), 'utf8')),
  );
  assert.deepEqual(bad, []);
});
