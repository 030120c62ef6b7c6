/**
 * `npm run bench -- NAME...`: measurements that stand alone (NAME.bench.ts), one after the other.
 *
 * `npm run bench [-- --only NAME[,NAME...]] [--json] [--rounds N] [--device gpu] [--record]`: each measure
 * of measures/ beside its peers, by turns, alone on the machine. Peers are installed by `npm run bench:setup`.
 *
 *   --only    these measures (a name, or the beginning of one)
 *   --json    one line a measure instead of a table
 *   --rounds  5 by default, at least that many
 *   --record  keep the figures in results.jsonl and in the README's table
 *   --device  cpu (default) or gpu: then the measures that can use one, beside peers that use it too
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, type Comparison, type Device, type Measure } from './measure.ts';
import { MEASURES } from './measures/catalogue.ts';
import { peersMissing, startPeer } from './peer.ts';
import { record } from './record.ts';
import { closeSharedStack } from './stack.ts';

const ROUNDS = 5;
const DIGITS = 4;
const GPU_DRIVER = '/proc/driver/nvidia/version';
const BUILT = join(import.meta.dirname, '../../dist/build.json');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: String(ROUNDS) },
    device: { type: 'string', default: 'cpu' },
    record: { type: 'boolean', default: false },
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
  for (const words of one.broken) console.log(`       ${words}`);
  const also = Object.entries(one.also).map(([what, figure]) => `${what} ${digits(figure)}`);
  if (also.length > 0) console.log(`       beside: ${also.join(', ')}`);
}

function skip({ name }: Measure, reason: string): void {
  console.log(
    values.json ? JSON.stringify({ name, skipped: reason }) : `skip   ${name}: ${reason}`,
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

function chosenMeasures(device: Device): readonly Measure[] {
  const asked = values.only?.split(',');
  const chosen = MEASURES.filter(({ name }) => asked?.some((one) => name.startsWith(one)) ?? true);
  if (chosen.length === 0) {
    const known = MEASURES.map(({ name }) => name).join(', ');
    fail(`no such measure: ${values.only}; there are ${known}`);
  }
  const able = device === 'gpu' ? chosen.filter(({ gpu }) => gpu) : chosen;
  if (able.length === 0) fail(`no such measure for a GPU: ${values.only ?? 'none there'}`);
  return able;
}

/** Reason why a measure cannot run here, or false. */
function cannotRun(measure: Measure, device: Device): string | false {
  if (device === 'gpu' && !existsSync(GPU_DRIVER)) return `no GPU here: no ${GPU_DRIVER}`;
  if (measure.needsBuild && !existsSync(BUILT)) return 'not built: npm run build';
  return false;
}

async function runBesidePeers(): Promise<void> {
  const { device } = values;
  if (device !== 'cpu' && device !== 'gpu') fail('--device is cpu or gpu');
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < ROUNDS) fail(`--rounds is ${ROUNDS} or more`);
  const missing = peersMissing();
  if (missing) fail(missing);
  const results: Comparison[] = [];
  for (const measure of chosenMeasures(device)) {
    const reason = cannotRun(measure, device);
    if (reason) {
      skip(measure, reason);
      continue;
    }
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
    try {
      const result = await compare(measure, { folder, device, peer: startPeer }, rounds);
      tell(result);
      results.push(result);
      if (!result.pass) process.exitCode = 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (values.record) await record(MEASURES, results);
}

try {
  if (positionals.length > 0) runAlone(positionals);
  else await runBesidePeers();
} finally {
  await closeSharedStack();
}
