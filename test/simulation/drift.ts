/**
 * `npm run simulate:drift [-- --pairs 250 --seed 1 --out FILE]`: protocol P2 in full, some minutes on one core. Writes
 * docs/drift-simulation.md (its hand-written reading is kept). Exits 1 when a rate is outside its limit.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { outside } from './drift-acceptance.ts';
import { simulateInputs } from './drift-inputs.ts';
import { cells, simulate, YEARS } from './drift-protocol.ts';
import { pageOf } from './drift-report.ts';

const PLANTED_EVERY = 4;
const READING = '\n## Reading\n';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '250' },
    /** Years of input drift, of each market and design. */
    years: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: join(import.meta.dirname, '../../docs/drift-simulation.md') },
  },
});
const [pairs, years, seed] = [Number(values.pairs), Number(values.years), Number(values.seed)];
if (![pairs, years, seed].every(Number.isInteger) || pairs < 2 || years < 1 || seed < 0) {
  throw new Error(
    '--pairs is a whole number of 2 or more, --years of 1 or more, --seed of 0 or more',
  );
}

const started = performance.now();
const progress = (done: string): void => console.error(done);
const counts = simulate({ pairs, seed, cells, plantedEvery: PLANTED_EVERY, progress });
const inputs = simulateInputs({ years, seed, progress });
const page = pageOf(counts, inputs, {
  command: 'npm run simulate:drift',
  seed,
  pairs,
  seconds: (performance.now() - started) / 1000,
  machine: `${cpus()[0]?.model.trim() ?? 'an unknown processor'}, Node ${process.version}`,
});
const before = existsSync(values.out) ? readFileSync(values.out, 'utf8') : '';
const reading = before.includes(READING) ? before.slice(before.indexOf(READING)) : '';
writeFileSync(values.out, page + reading);
console.error(`wrote ${values.out}`);
const problems = outside(counts, 'product', YEARS);
for (const problem of problems) console.error(`outside its limit: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
