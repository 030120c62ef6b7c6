/**
 * Runs the tests: `node --import tsx test/run.ts [GROUP...] [--full] [--only TEXT] [--record]`.
 * It lists the files itself (a glob given to `node --test` finds nothing on Node 20) and fails when
 * fewer files or tests ran than test/minimums.json records, so that a lost test is noticed.
 *
 *   --full    faults with their full number of rounds
 *   --only    files whose path contains TEXT (no minimum then)
 *   --record  writes what ran as the new minimum
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';

/** Files a group names with their time. */
const SLOWEST = 5;
const TEST_TIMEOUT_MS = 20 * 60_000;
/** With every round of every fault. */
const FULL_TIMEOUT_MS = 3 * TEST_TIMEOUT_MS;

interface Group {
  readonly name: string;
  readonly has: (file: string) => boolean;
  /** Files at once: servers and training share two cores. */
  readonly concurrency: number;
}

const kind = (file: string): string => /\.(server|fault|browser)\.test\.ts$/.exec(file)?.[1] ?? '';
const conformance = (file: string): boolean => file.startsWith('test/conformance/');

const GROUPS: readonly Group[] = [
  { name: 'unit', has: (f) => kind(f) === '' && !conformance(f), concurrency: 2 },
  { name: 'conformance', has: (f) => kind(f) === '' && conformance(f), concurrency: 2 },
  { name: 'server', has: (f) => kind(f) === 'server', concurrency: 2 },
  { name: 'faults', has: (f) => kind(f) === 'fault', concurrency: 2 },
  { name: 'browser', has: (f) => kind(f) === 'browser', concurrency: 1 },
];

interface Count {
  files: number;
  tests: number;
  failed: number;
  skipped: number;
  /** Milliseconds of each file's tests. */
  readonly took: Map<string, number>;
}

const root = join(import.meta.dirname, '..');
const minimumsFile = join(import.meta.dirname, 'minimums.json');
type Minimums = Record<string, { readonly files: number; readonly tests: number }>;

function readMinimums(): Minimums {
  return JSON.parse(readFileSync(minimumsFile, 'utf8')) as Minimums;
}

function testFiles(): readonly string[] {
  return readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => !file.startsWith('test/fixtures/'))
    .sort();
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Where the time of a group goes: the few files that took longest. */
const slowest = (took: ReadonlyMap<string, number>): readonly [string, number][] =>
  [...took].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);

/** The error under node:test's own wrapping. */
function reason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? (inner.stack ?? inner.message) : String(inner);
}

function runGroup(group: Group, files: readonly string[]): Promise<Count> {
  const count: Count = { files: files.length, tests: 0, failed: 0, skipped: 0, took: new Map() };
  const skips = new Map<string, number>();
  const stream = run({
    files: files.map((file) => join(root, file)),
    concurrency: group.concurrency,
    timeout: values.full ? FULL_TIMEOUT_MS : TEST_TIMEOUT_MS,
  });
  const isSuite = (details: object | undefined): boolean =>
    details !== undefined && 'type' in details && details.type === 'suite';
  const note = (file: string | undefined, nesting: number, ms: number): void => {
    if (file === undefined || nesting > 0) return;
    const name = relative(root, file);
    count.took.set(name, (count.took.get(name) ?? 0) + ms);
  };
  stream.on('test:pass', ({ details, skip, file, nesting }) => {
    note(file, nesting, details.duration_ms);
    if (isSuite(details)) return;
    count.tests += 1;
    if (skip === undefined || skip === false) return;
    count.skipped += 1;
    const why = skip === true ? 'no reason given' : String(skip);
    skips.set(why, (skips.get(why) ?? 0) + 1);
  });
  stream.on('test:fail', ({ name, file, details, todo, nesting }) => {
    note(file, nesting, details.duration_ms);
    // A suite fails with its tests, which were told already.
    if (
      todo !== undefined ||
      (isSuite(details) && /subtests? failed/.test(reason(details.error)))
    ) {
      return;
    }
    count.tests += 1;
    count.failed += 1;
    console.log(`\nFAILED  ${file ? relative(root, file) : ''}  ${name}`);
    console.log(`${reason(details.error).replace(/^/gm, '    ')}\n`);
  });
  stream.on('test:stderr', ({ message }) => process.stderr.write(message));
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => {
      for (const [why, n] of skips) console.log(`  skipped ${n}: ${why}`);
      resolve(count);
    });
    stream.resume();
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
const unknown = positionals.find((name) => !GROUPS.some((group) => group.name === name));
if (unknown !== undefined) {
  console.error(`no group "${unknown}": ${GROUPS.map((group) => group.name).join(', ')}`);
  process.exit(2);
}
if (values.full) process.env['RATCHET_TEST_FULL'] = '1';

const wanted = GROUPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const minimums = readMinimums();
const all = testFiles();
const problems: string[] = [];
for (const group of wanted) {
  const files = all.filter(
    (file) => group.has(file) && (values.only === undefined || file.includes(values.only)),
  );
  if (files.length === 0 && values.only !== undefined) continue;
  const begin = performance.now();
  const count = await runGroup(group, files);
  const { tests, failed, skipped } = count;
  const rest = `${failed} failed, ${skipped} skipped, ${seconds(performance.now() - begin)}`;
  console.log(`${group.name.padEnd(12)} ${files.length} files, ${tests} tests, ${rest}`);
  for (const [file, ms] of slowest(count.took))
    console.log(`  ${seconds(ms).padStart(8)}  ${file}`);
  if (failed > 0) problems.push(`${group.name}: ${failed} failed`);
  if (values.only !== undefined) continue;
  if (values.record) minimums[group.name] = { files: files.length, tests };
  const least = minimums[group.name];
  if (least && (files.length < least.files || tests < least.tests)) {
    problems.push(
      `${group.name}: ${files.length} files and ${tests} tests ran, at least ${least.files} and ${least.tests} must`,
    );
  }
}
if (values.record) writeFileSync(minimumsFile, `${JSON.stringify(minimums, undefined, 2)}\n`);
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
