/**
 * `npm run build`: plain JavaScript in dist/, the files that code reads, and the workflow bundle.
 * Does nothing when no input changed. `--force` keeps what was emitted in spite of type errors.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { bundleProcesses, keepChunks } from './bundle.ts';
import { projectRoot } from './project.ts';

const SOURCES = ['core', 'workflows', 'activities', 'workers', 'api', 'registry', 'infra'];
const SETTINGS = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
/** Runs before there is a dist/, straight from the sources. */
const NOT_COPIED = /^infra\/(setup\/|setup\.mjs$)/;

const force = process.argv.includes('--force');
const dist = join(projectRoot, 'dist');
const begin = performance.now();

function inputs(): readonly string[] {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length + 1)),
  );
  return [...files.map((file) => file.replaceAll('\\', '/')).sort(), ...SETTINGS];
}

function digestOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`).update(readFileSync(join(projectRoot, file)));
  }
  return hash.digest('hex');
}

function builtDigest(): string | undefined {
  try {
    const text = readFileSync(join(dist, 'build.json'), 'utf8');
    return (JSON.parse(text) as { digest: string }).digest;
  } catch {
    return undefined;
  }
}

async function build(files: readonly string[], digest: string): Promise<boolean> {
  // Made beside the old one and swapped in: a failed build leaves what worked.
  const fresh = join(projectRoot, `dist.${process.pid}`);
  process.once('exit', () => rmSync(fresh, { recursive: true, force: true }));
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh];
  const emitted = spawnSync(process.execPath, args, { cwd: projectRoot, stdio: 'inherit' });
  if (emitted.status !== 0 && !force) return false;
  for (const file of files) {
    if (file.endsWith('.ts') || NOT_COPIED.test(file) || SETTINGS.includes(file)) continue;
    mkdirSync(dirname(join(fresh, file)), { recursive: true });
    cpSync(join(projectRoot, file), join(fresh, file));
  }
  const workflowsPath = join(projectRoot, 'workflows/index.ts');
  if (existsSync(workflowsPath)) {
    const logger = new DefaultLogger('WARN');
    const { code } = await bundleWorkflowCode({ workflowsPath, logger });
    writeFileSync(join(fresh, 'workflow-bundle.js'), code);
  }
  await bundleProcesses(fresh);
  keepChunks(dist, fresh);
  writeFileSync(join(fresh, 'build.json'), `${JSON.stringify({ digest })}\n`);
  rmSync(`${dist}.old`, { recursive: true, force: true });
  if (existsSync(dist)) renameSync(dist, `${dist}.old`);
  renameSync(fresh, dist);
  rmSync(`${dist}.old`, { recursive: true, force: true });
  return true;
}

const files = inputs();
const digest = digestOf(files);
if (digest === builtDigest()) {
  console.log('dist/ is up to date');
} else if (await build(files, digest)) {
  const time = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(`dist/ built from ${files.length} files in ${time} s`);
} else {
  console.error('dist/ was not built: fix the types above');
  process.exitCode = 1;
}
