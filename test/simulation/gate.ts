/**
 * `npm run simulate [-- --series 1000 --seed 1 --json --out FILE]`: protocol P1 in full, some minutes on one core.
 * Writes docs/gate-simulation.md (its hand-written reading is kept); with --json prints the counts as JSON and writes
 * a page only where --out says so. Exits 1 when a count is outside its bound.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failures } from './acceptance.ts';
import { cells, furtherCells, simulate, type Count, type Method } from './protocol.ts';
import { pageOf } from './report.ts';

const PROGRESS_EVERY = 50;
const READING = '\n## Reading\n';
const HELD: readonly Method[] = ['test', 'gate', 'sequence', 'eValue'];

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const [series, seed] = [Number(values.series), Number(values.seed)];
if (!Number.isInteger(series) || series < 4 || !Number.isInteger(seed) || seed < 0) {
  throw new Error('--series is a whole number of 4 or more, --seed one of 0 or more');
}
const out =
  values.out ??
  (values.json ? undefined : join(import.meta.dirname, '../../docs/gate-simulation.md'));

const started = performance.now();
const progress = (done: number): void => {
  if (done % PROGRESS_EVERY === 0) console.error(`${done} of ${series} series`);
};
const inOrder = (a: Count, b: Count): number =>
  a.cell.kind.localeCompare(b.cell.kind) ||
  a.cell.rows - b.cell.rows ||
  a.cell.horizon - b.cell.horizon;
const counts = [cells, furtherCells]
  .flatMap((some) => simulate({ series, seed, cells: some, progress }))
  .toSorted(inOrder);
const seconds = (performance.now() - started) / 1000;

if (values.json) {
  console.log(JSON.stringify({ series, seed, seconds, counts }));
}
if (out !== undefined) {
  const options = `${series === 1000 ? '' : ` --series ${series}`}${seed === 1 ? '' : ` --seed ${seed}`}`;
  const page = pageOf(counts, {
    command: `npm run simulate${options === '' ? '' : ` --${options}`}`,
    seed,
    series,
    seconds,
    machine: `${cpus()[0]?.model.trim() ?? 'an unknown processor'}, Node ${process.version}`,
  });
  const before = existsSync(out) ? readFileSync(out, 'utf8') : '';
  const reading = before.includes(READING) ? before.slice(before.indexOf(READING)) : '';
  writeFileSync(out, page + reading);
  console.error(`wrote ${out}`);
}
const problems = HELD.flatMap((method) => failures(counts, method));
for (const problem of problems) console.error(`outside its bound: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
