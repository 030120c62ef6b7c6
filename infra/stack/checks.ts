/** What `ratchet doctor` looks at. Each check says what it found and, when it is bad, what to do. */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../project.ts';
import type { StackStatus } from './control.ts';
import { readStackFile } from './identity.ts';
import type { Layout } from './layout.ts';
import { leftOut } from './left-out.ts';
import { PORT_NAMES, isFree } from './ports.ts';
import { groupLives, readRecords } from './processes.ts';
import { readProvidedParts, SETUP_COMMAND } from './provided.ts';
import { checkTemporalVersion } from './servers.ts';

export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly fix?: string;
}

const GIB = 1024 ** 3;
const DISK_FAIL_BYTES = GIB / 2;
const DISK_WARN_BYTES = 4 * GIB;
const OLDEST_NODE = [20, 19] as const;

const ok = (check: string, detail: string): Finding => ({ check, verdict: 'ok', detail });
const warning = (check: string, detail: string, fix: string): Finding => ({
  ...{ check, verdict: 'warning', detail, fix },
});
const failed = (check: string, detail: string, fix: string): Finding => ({
  ...{ check, verdict: 'failed', detail, fix },
});

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const wanted = `${OLDEST_NODE.join('.')} or newer`;
  return fine
    ? ok('node', process.version)
    : failed('node', `${process.version} is too old`, `install Node ${wanted}`);
}

function checkParts(): readonly Finding[] {
  const provided = readProvidedParts();
  if (Object.keys(provided).length === 0) {
    return [failed('set-up', 'was never run here', SETUP_COMMAND)];
  }
  const missing = leftOut(provided);
  if (missing.length === 0) return [ok('set-up', 'every part is here')];
  return missing.map(({ name, without, fix }) => warning(`part ${name}`, without, fix));
}

function checkBuild(): Finding {
  const built = existsSync(join(projectRoot, 'dist/build.json'));
  return built ? ok('build', 'dist/ is there') : failed('build', 'no dist/', 'npm run build');
}

function checkModes(layout: Layout): readonly Finding[] {
  if (process.platform === 'win32' || !existsSync(layout.stateDir)) return [];
  const open: string[] = [];
  const look = (path: string): void => {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info && (info.mode & 0o077) !== 0) open.push(path);
  };
  look(layout.stateDir);
  look(layout.secretsFile);
  look(layout.keys);
  if (existsSync(layout.keys)) {
    for (const name of readdirSync(layout.keys)) look(join(layout.keys, name));
  }
  return open.length === 0
    ? [ok('permissions', 'state, secrets and keys are for their owner only')]
    : open.map((path) =>
        failed('permissions', `${path} can be read by others`, `chmod go= ${path}`),
      );
}

function checkDisk(layout: Layout): Finding {
  const folder = existsSync(layout.stateDir) ? layout.stateDir : projectRoot;
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${(free / GIB).toFixed(1)} GiB free for ${folder}`;
  if (free < DISK_FAIL_BYTES) return failed('disk', text, 'free some space: ratchet gc, old logs');
  if (free < DISK_WARN_BYTES) return warning('disk', text, 'free some space before long trainings');
  return ok('disk', text);
}

async function checkPorts(layout: Layout, running: boolean): Promise<Finding> {
  const ports = readStackFile(layout)?.ports;
  if (!ports) return ok('ports', 'none chosen yet: the first up chooses free ones');
  if (running) return ok('ports', 'held by the running stack');
  const free = await Promise.all(PORT_NAMES.map((name) => isFree(ports[name])));
  const taken = PORT_NAMES.filter((_, i) => !free[i]);
  return taken.length === 0
    ? ok('ports', 'the recorded ports are free')
    : warning(
        'ports',
        `taken by other programs: ${taken.map((name) => `${name} ${ports[name]}`).join(', ')}`,
        'ratchet up chooses others for these',
      );
}

function checkLeftovers(layout: Layout, running: boolean): Finding {
  if (running) return ok('left-overs', 'none: the supervisor runs');
  const living = readRecords(layout.run).filter(groupLives);
  return living.length === 0
    ? ok('left-overs', 'no process of an earlier stack')
    : failed(
        'left-overs',
        `without a supervisor: ${living.map((r) => `${r.name} (pid ${r.pid})`).join(', ')}`,
        'ratchet down',
      );
}

function checkTemporalState(layout: Layout): Finding {
  const version = readProvidedParts()['temporal']?.version;
  if (version === undefined) return ok('temporal state', 'no local Temporal server');
  try {
    checkTemporalVersion(readStackFile(layout), version);
    return ok('temporal state', `fits ${version}`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return failed('temporal state', text, SETUP_COMMAND);
  }
}

function checkChildren(status: StackStatus): readonly Finding[] {
  return status.parts.map((part) => {
    const restarts = part.restarts === 0 ? '' : `, started again ${part.restarts} times`;
    const detail = `${part.state}${restarts}`;
    if (part.state === 'ready') {
      return restarts === ''
        ? ok(part.title, detail)
        : warning(part.title, detail, `read ${part.log}`);
    }
    const mirror = part.name === 'mlflow' && part.state === 'starting';
    const wait = mirror ? 'wait some seconds' : `read ${part.log}`;
    return mirror ? warning(part.title, detail, wait) : failed(part.title, detail, wait);
  });
}

/** Checks that need nothing running, and the state of the children where a stack runs. */
export async function checkMachine(
  layout: Layout,
  status: StackStatus | undefined,
): Promise<readonly Finding[]> {
  return [
    checkNode(),
    ...checkParts(),
    checkBuild(),
    ...checkModes(layout),
    checkDisk(layout),
    await checkPorts(layout, status !== undefined),
    checkLeftovers(layout, status !== undefined),
    checkTemporalState(layout),
    ...(status ? checkChildren(status) : []),
  ];
}
