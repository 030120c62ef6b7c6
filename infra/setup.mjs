#!/usr/bin/env node
/**
 * Makes a fresh machine ready: `node infra/setup.mjs [--quiet] [--tests]`.
 * `--tests` also fetches what nothing but tests needs.
 * Plain Node, no dependencies. Everything it makes lies in node_modules/ and .tools/.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmStep, postgresStep } from './setup/npm.mjs';
import { PINS } from './setup/pins.mjs';
import { Progress } from './setup/progress.mjs';
import { mlflowStep, pythonStep } from './setup/python.mjs';
import { TOOLS, spawned } from './setup/run.mjs';
import { s3Step, temporalStep } from './setup/servers.mjs';
import { earlier, runSteps, writeJson } from './setup/steps.mjs';
import { tensorflowStep, tfjsStep } from './setup/tensorflow.mjs';
import { testServerStep } from './setup/test-server.mjs';
import { treesStep } from './setup/trees.mjs';

const LOCK = join(TOOLS, 'setup.lock');
const LOCK_WAIT_MS = 15 * 60_000;

/** The stack cannot stand without these; everything else can honestly be left out. */
const required = (name) =>
  name === 'npm' ||
  (name === 'postgres' && !process.env.RATCHET_DATABASE_URL) ||
  (name === 'temporal' && !process.env.RATCHET_TEMPORAL_ADDRESS);

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One set-up at a time in one project; a second one waits for the first. */
async function lock() {
  mkdirSync(TOOLS, { recursive: true });
  const begin = Date.now();
  let told = false;
  while (Date.now() - begin < LOCK_WAIT_MS) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      process.once('exit', () => rmSync(LOCK, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = existsSync(LOCK) ? Number(readFileSync(LOCK, 'utf8')) : 0;
    if (owner && !alive(owner)) {
      rmSync(LOCK, { force: true });
      continue;
    }
    if (!told) console.log(`another set-up (pid ${owner}) is at work here: waiting for it`);
    told = true;
    await new Promise((next) => setTimeout(next, 500));
  }
  throw new Error(`gave up waiting for ${LOCK}`);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < PINS.node[0] || (major === PINS.node[0] && minor < PINS.node[1])) {
  console.error(`Ratchet needs Node ${PINS.node.join('.')} or newer; this is ${process.version}.`);
  process.exit(1);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const progress = new Progress({ quiet: process.argv.includes('--quiet') });
await lock();
// Long steps come first, so that they start first.
const steps = [
  npmStep,
  pythonStep,
  s3Step,
  temporalStep,
  tensorflowStep,
  mlflowStep,
  postgresStep,
  tfjsStep,
  treesStep,
  // A run that is not asked for it keeps what an earlier one made.
  ...(process.argv.includes('--tests') || earlier(testServerStep) ? [testServerStep] : []),
];
const parts = await runSteps(steps, progress);
writeJson(join(TOOLS, 'parts.json'), parts);

const missing = Object.keys(parts).filter((name) => parts[name].state === 'missing');
const blocking = missing.filter(required);
const time = `${(progress.elapsedMs / 1000).toFixed(1)} s`;
const work = progress.ran === 0 ? 'nothing to do' : `${progress.ran} steps, ${spawned} processes`;
if (blocking.length > 0) {
  progress.end(
    `\nset-up is not complete after ${time}: ${blocking.join(', ')} missing (see above)`,
  );
  process.exit(1);
}
progress.end(
  `set-up ready in ${time} (${work})${missing.length ? `; left out: ${missing.join(', ')}` : ''}`,
);
process.exit(0);
