import {
  copyFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { PINS } from './pins.mjs';
import { ROOT, TOOLS, run, which } from './run.mjs';

const BIN = join(TOOLS, 'bin');
const exe = (name) => (process.platform === 'win32' ? `${name}.exe` : name);

/** `go` on PATH or where its installer puts it. */
const findGo = () => which(exe('go'), ['/usr/local/go/bin', '/opt/homebrew/bin']);

const identity = (path) => path && [path, statSync(path).size, Math.trunc(statSync(path).mtimeMs)];

/** Builds a Go program into .tools/bin, behind the other steps' processes in the queue for a core. */
async function goInstall({ module, version }, name) {
  mkdirSync(BIN, { recursive: true });
  const args = ['install', '-trimpath', '-ldflags=-s -w', `${module}@${version}`];
  const nice = which('nice');
  const env = { GOBIN: BIN, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' };
  const command = nice ? [nice, ['-n', '10', findGo(), ...args]] : [findGo(), args];
  await run(command[0], command[1], { log: name, env });
  return relative(ROOT, join(BIN, exe(name)));
}

/** The Temporal SDK's own download, in a child that is given up on after a short time. */
async function temporalFromSdk() {
  const folder = join(TOOLS, 'temporal-download');
  mkdirSync(folder, { recursive: true });
  mkdirSync(BIN, { recursive: true });
  try {
    await run(process.execPath, [join(ROOT, 'infra/setup/temporal-download.mjs'), folder], {
      log: 'temporal-download',
      timeoutMs: 60_000,
    });
    const file = readdirSync(folder).find((f) => f.startsWith('temporal'));
    if (!file) return undefined;
    const target = join(BIN, exe('temporal'));
    copyFileSync(join(folder, file), `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
    return relative(ROOT, target);
  } catch {
    // Out of reach or too slow: the caller builds it, and the log keeps what was said.
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const versionOf = async (path, args) =>
  (await run(path.startsWith('.tools') ? join(ROOT, path) : path, args, { log: 'versions' }))
    .trim()
    .split('\n')[0];

/** @type {import('./steps.mjs').Step} */
export const temporalStep = {
  name: 'temporal',
  title: 'Temporal server',
  after: ['npm'],
  key: () => [PINS.temporal, identity(which(exe('temporal'))), findGo() !== undefined],
  async run(say) {
    const onPath = which(exe('temporal'));
    let path = onPath;
    let how = 'found on PATH';
    if (!path) {
      say('asking the SDK to download it');
      path = await temporalFromSdk();
      how = 'downloaded by the SDK';
    }
    if (!path && findGo()) {
      say('building it with Go (minutes)');
      path = await goInstall(PINS.temporal, 'temporal');
      how = 'built with Go';
    }
    if (!path) {
      return {
        state: 'missing',
        detail: 'not on PATH, no download, no Go',
        fix: 'install Go 1.26 or newer, or put `temporal` (docs.temporal.io/cli) on PATH, then node infra/setup.mjs',
        without: 'no experiments: `ratchet up` needs it or RATCHET_TEMPORAL_ADDRESS',
      };
    }
    const version = await versionOf(path, ['--version']);
    return { state: 'ready', detail: `${version}, ${how}`, path, version };
  },
};

/** @type {import('./steps.mjs').Step} */
export const s3Step = {
  name: 's3',
  title: 'S3 server (versitygw)',
  key: () => [PINS.versitygw, identity(which(exe('versitygw'))), findGo() !== undefined],
  async run(say) {
    let path = which(exe('versitygw'));
    let how = 'found on PATH';
    if (!path && findGo()) {
      say('building it with Go');
      path = await goInstall(PINS.versitygw, 'versitygw');
      how = 'built with Go';
    }
    if (!path) {
      return {
        state: 'missing',
        detail: 'not on PATH, no Go',
        fix: 'install Go 1.26 or newer, or put `versitygw` on PATH, then node infra/setup.mjs',
        without: 'artifacts lie in a directory of the state folder',
      };
    }
    return {
      state: 'ready',
      detail: `versitygw ${PINS.versitygw.version}, ${how}`,
      path,
      version: PINS.versitygw.version,
    };
  },
};
