/**
 * Makes the golden values of technical-152 anew: `npm run golden [PYTHON]`. Needs Python with the
 * packages of requirements.txt (a virtual environment that has them, or it makes one for itself).
 * The files are committed, so nobody needs this to test; a change in them is a change of definitions.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { calendarFor } from '../../core/calendar/index.ts';
import { nasdaq, sp500 } from '../support/example-bars.ts';

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

const given = process.argv[2];
if (given === undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-golden-'));
  try {
    await generate(await madeEnvironment(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
} else {
  await generate(given);
}
