/**
 * Makes the golden values of the feature sets, the class metrics, the Transformer, the boosted trees, the backtests and the
 * portfolios anew: `npm run golden [PYTHON]`. Needs Python with the
 * packages of requirements.txt (a virtual environment that has them, or it makes one for itself).
 * The files are committed, so nobody needs this to test; a change in them is a change of definitions.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BAR_COLUMNS, type Bars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { hourlyWalk, nasdaq, sp500 } from '../support/example-bars.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 64 << 20;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const bundled = (name: string): string => here(`../../examples/data/index-arch/${name}.csv.gz`);

async function madeEnvironment(folder: string): Promise<string> {
  await run('python3', ['-m', 'venv', folder]);
  const python = join(folder, 'bin', 'python');
  await run(python, ['-m', 'pip', 'install', '--quiet', '-r', here('requirements.txt')]);
  return python;
}

async function generate(python: string): Promise<void> {
  for (const [name, read] of [
    ['sp500', sp500],
    ['nasdaq', nasdaq],
  ] as const) {
    const firstIndex = calendarFor('nyse').indexOf(read().openTime[0]!, '1d');
    const { stdout } = await run(
      python,
      [here('technical_152.py'), bundled(name), String(firstIndex)],
      { maxBuffer: OUTPUT_BYTES_MAX },
    );
    await writeFile(here(`technical-152.${name}.json`), stdout);
    process.stdout.write(`test/golden/technical-152.${name}.json\n`);
  }
}

/** Bars as the generator of the sets with levels reads them; numbers survive the way there and back. */
function csvOf(bars: Bars): string {
  const columns = BAR_COLUMNS.map((name) => bars[name]);
  const rows = Array.from(bars.openTime, (_, t) => columns.map((x) => String(x[t])).join(','));
  return [BAR_COLUMNS.join(','), ...rows, ''].join('\n');
}

async function generateLevelled(python: string, folder: string): Promise<void> {
  for (const [name, read, calendar] of [
    ['sp500', sp500, 'nyse'],
    ['hourly', hourlyWalk, '24x7'],
  ] as const) {
    const bars = read();
    const path = join(folder, `${name}.csv`);
    await writeFile(path, csvOf(bars));
    const first = calendarFor(calendar).indexOf(bars.openTime[0]!, bars.timeframe);
    const { stdout } = await run(python, [here('levelled_sets.py'), path, String(first)], {
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    await writeFile(here(`levelled-sets.${name}.json`), stdout);
    process.stdout.write(`test/golden/levelled-sets.${name}.json\n`);
  }
}

/** What other backtesting libraries say of the two bundled indices. */
async function generateBacktest(python: string): Promise<void> {
  const paths = ['sp500', 'nasdaq'].map(bundled);
  const { stdout } = await run(python, [here('backtest.py'), ...paths], {
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  await writeFile(here('backtest.json'), stdout);
  process.stdout.write('test/golden/backtest.json\n');
}

/** Runs a generator that makes its data by itself. */
async function generateAlone(
  python: string,
  name: 'classes' | 'linear_models' | 'portfolio' | 'transformer' | 'trees',
): Promise<void> {
  const { stdout } = await run(python, [here(`${name}.py`)], { maxBuffer: OUTPUT_BYTES_MAX });
  await writeFile(here(`${name}.json`), stdout);
  process.stdout.write(`test/golden/${name}.json\n`);
}

const given = process.argv[2];
const folder = await mkdtemp(join(tmpdir(), 'ratchet-golden-'));
try {
  const python = given ?? (await madeEnvironment(join(folder, 'venv')));
  await generate(python);
  await generateLevelled(python, folder);
  await generateAlone(python, 'classes');
  await generateAlone(python, 'transformer');
  await generateAlone(python, 'linear_models');
  await generateAlone(python, 'trees');
  await generateBacktest(python);
  await generateAlone(python, 'portfolio');
} finally {
  await rm(folder, { recursive: true, force: true });
}
