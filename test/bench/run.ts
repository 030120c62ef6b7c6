/** `npm run bench [-- --json] [NAME...]`: every benchmark, one after the other, alone on the machine. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const asked = process.argv.slice(2);
const names = asked.filter((word) => !word.startsWith('--'));
const options = asked.filter((word) => word.startsWith('--'));
const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => names.length === 0 || names.includes(file.replace('.bench.ts', '')))
  .sort();
if (files.length === 0) {
  console.error(`no such benchmark: ${names.join(', ')}`);
  process.exitCode = 2;
}
for (const file of files) {
  if (!options.includes('--json')) console.log(`\n${file.replace('.bench.ts', '')}`);
  const args = ['--import', 'tsx', join(import.meta.dirname, file), ...options];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
