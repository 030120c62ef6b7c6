/**
 * `npm run bench -- NAME...`: measurements that stand alone (NAME.bench.ts), one after the other.
 *
 * `npm run bench [-- --only NAME[,NAME...]] [--json] [--rounds N] [--device gpu] [--record]`: each measure
 * of measures/ beside its peers, by turns, alone on the machine. Peers are installed by `npm run bench:setup`. `--help` tells the rest.
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
const ALONE = '.bench.ts';
const GPU_DRIVER = '/proc/driver/nvidia/version';
const BUILT = join(import.meta.dirname, '../../dist/build.json');

const { values, positionals } = argumentsGiven();

function argumentsGiven() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        rounds: { type: 'string', default: String(ROUNDS) },
        device: { type: 'string', default: 'cpu' },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

const USAGE = `npm run bench [-- --only NAME[,NAME...]] [--json] [--rounds N] [--device gpu] [--record]
  --only    these measures (a name, or the beginning of one)
  --json    one line a measure instead of a table
  --rounds  ${ROUNDS} by default, at least that many
  --record  keep the figures in results.jsonl and in the README's table
  --device  cpu (default) or gpu: then the measures that can use one, beside peers that use it too
npm run bench -- NAME...: measurements that stand alone (${measurementsAlone().join(', ')})

Measures: ${MEASURES.map(({ name }) => name).join(', ')}`;

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

/** Measurements that have no peer. */
function measurementsAlone(): readonly string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(ALONE))
    .map((file) => file.slice(0, -ALONE.length));
}

/** Runs them, each in a process of its own. */
function runAlone(names: readonly string[]): void {
  const known = measurementsAlone();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined && matching(unknown).length > 0)
    fail(`${unknown} is a measure beside peers: npm run bench -- --only ${unknown}`);
  if (unknown !== undefined) fail(`no measurement ${unknown}; there are ${known.join(', ')}`);
  for (const name of names) {
    const file = join(import.meta.dirname, `${name}${ALONE}`);
    const args = ['--import', 'tsx', file, ...(values.json ? ['--json'] : [])];
    if (spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0) process.exitCode = 1;
  }
}

function matching(beginning: string): readonly Measure[] {
  return MEASURES.filter(({ name }) => name.startsWith(beginning));
}

function chosenMeasures(device: Device): readonly Measure[] {
  const asked = values.only?.split(',') ?? [''];
  const unknown = asked.find((one) => matching(one).length === 0);
  if (unknown !== undefined) {
    const known = MEASURES.map(({ name }) => name).join(', ');
    fail(`no such measure: ${unknown}; there are ${known}`);
  }
  const chosen = MEASURES.filter((measure) => asked.some((one) => matching(one).includes(measure)));
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

/** A measure that breaks does not end the others: undefined. */
async function measured(
  measure: Measure,
  device: Device,
  rounds: number,
): Promise<Comparison | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  try {
    const result = await compare(measure, { folder, device, peer: startPeer }, rounds);
    tell(result);
    return result;
  } catch (error) {
    console.error(error);
    const { name } = measure;
    const failed = error instanceof Error ? error.message : String(error);
    console.log(values.json ? JSON.stringify({ name, failed }) : `FAILED ${name}`);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
    const result = await measured(measure, device, rounds);
    if (result) results.push(result);
    if (!result?.pass) process.exitCode = 1;
  }
  if (values.record) await record(MEASURES, results);
}

try {
  if (values.help) console.log(USAGE);
  else if (positionals.length > 0) runAlone(positionals);
  else await runBesidePeers();
} finally {
  await closeSharedStack();
}
// A measure that broke may have left a process that this one would wait for; all end with it.
process.exit();
