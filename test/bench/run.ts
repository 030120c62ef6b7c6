/**
 * `npm run bench -- NAME...`: measurements that stand alone (NAME.bench.ts), one after the other.
 *
 * `npm run bench [-- --only NAME[,NAME...]] [--json] [--rounds N]`: each measure of measures/ beside its peers, by turns, alone
 * on the machine. Peers are installed by `npm run bench:setup`.
 *
 *   --only    these measures (a name, or the beginning of one)
 *   --json    one line a measure instead of a table
 *   --rounds  5 by default, at least that many
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, type Comparison } from './measure.ts';
import { MEASURES } from './measures/catalogue.ts';
import { peersMissing, startPeer } from './peer.ts';

const ROUNDS = 5;
const DIGITS = 4;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: String(ROUNDS) },
  },
});

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

const digits = (x: number): string => x.toPrecision(DIGITS);

function tell(one: Comparison): void {
  if (values.json) return console.log(JSON.stringify(one));
  const { name, unit, ours, peer, peerName, ratio, target, pass, better } = one;
  const spread = (of: Comparison['oursSpread']): string =>
    `${digits(of.lowest)}-${digits(of.highest)}`;
  console.log(
    [
      pass ? 'ok   ' : 'SHORT',
      name.padEnd(24),
      `${digits(ours)} ${unit} (${spread(one.oursSpread)})`.padEnd(32),
      `${peerName} ${digits(peer)} (${spread(one.peerSpread)})`.padEnd(44),
      `${ratio.toFixed(3)} x, ${better === 'lower' ? '<=' : '>='} ${target}`,
    ].join('  '),
  );
}

/** Runs measurements that have no peer, each in a process of its own. */
function runAlone(names: readonly string[]): void {
  const ending = '.bench.ts';
  const known = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown) fail(`no measurement ${unknown}; there are ${known.join(', ')}`);
  for (const name of names) {
    const file = join(import.meta.dirname, `${name}${ending}`);
    const args = ['--import', 'tsx', file, ...(values.json ? ['--json'] : [])];
    if (spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0) process.exitCode = 1;
  }
}

async function runBesidePeers(): Promise<void> {
  const asked = values.only?.split(',');
  const chosen = MEASURES.filter(({ name }) => asked?.some((one) => name.startsWith(one)) ?? true);
  if (chosen.length === 0) {
    fail(
      `no such measure: ${values.only}; there are ${MEASURES.map(({ name }) => name).join(', ')}`,
    );
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < ROUNDS) fail(`--rounds is ${ROUNDS} or more`);
  const missing = peersMissing();
  if (missing) fail(missing);
  for (const measure of chosen) {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
    try {
      const result = await compare(measure, { folder, peer: startPeer }, rounds);
      tell(result);
      if (!result.pass) process.exitCode = 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

if (positionals.length > 0) runAlone(positionals);
else await runBesidePeers();
