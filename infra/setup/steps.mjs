import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT, TOOLS } from './run.mjs';

/**
 * One step of set-up.
 * @typedef {object} Step
 * @property {string} name
 * @property {string} title what it provides, in words
 * @property {string[]} [after] steps it waits for
 * @property {() => unknown} key everything that decides whether it must run again
 * @property {string[]} [outputs] paths (relative to the project) that must exist to skip it
 * @property {(say: (text: string) => void) => Promise<Part>} run
 */

/**
 * What a step provided.
 * @typedef {object} Part
 * @property {'ready' | 'missing'} state
 * @property {string} detail one line for people
 * @property {string} [path] program or folder, relative to the project when it lies in it
 * @property {string} [version]
 * @property {string} [fix] the command that would provide what is missing
 * @property {string} [without] what the platform does without it
 */

const stampFile = (name) => join(TOOLS, 'stamps', `${name}.json`);

export function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);
}

/** The part a step provided earlier, when nothing that decides about it has changed. */
export function earlier(step) {
  let stamp;
  try {
    stamp = JSON.parse(readFileSync(stampFile(step.name), 'utf8'));
  } catch {
    return undefined;
  }
  if (stamp.key !== digest(step.key())) return undefined;
  const { part } = stamp;
  const made = [...(step.outputs ?? []), ...(part.path ? [part.path] : [])];
  if (part.state === 'ready' && !made.every((path) => existsSync(resolve(ROOT, path)))) {
    return undefined;
  }
  return part;
}

/** Writes a file so that a crash leaves the old one or the new one. */
export function writeJson(path, value) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${path}.${process.pid}`, path);
}

/**
 * Runs steps side by side, each after those it names; a step whose stamp fits is not run.
 * A step that throws is reported as missing and does not stop those that do not need it.
 * @param {Step[]} steps
 * @param {import('./progress.mjs').Progress} progress
 * @returns {Promise<Record<string, Part>>}
 */
export async function runSteps(steps, progress) {
  const parts = {};
  const started = new Map();
  const start = (step) => {
    const known = started.get(step.name);
    if (known) return known;
    const before = steps.filter((s) => step.after?.includes(s.name));
    const promise = Promise.all(before.map(start)).then((needs) => runStep(step, before, needs));
    started.set(step.name, promise);
    return promise;
  };
  const runStep = async (step, before, needs) => {
    const lacking = before.find((_, i) => needs[i].state === 'missing');
    const part = lacking
      ? {
          state: 'missing',
          detail: `needs ${lacking.name}`,
          fix: needs[before.indexOf(lacking)].fix,
        }
      : (earlier(step) ?? (await execute(step, progress)));
    parts[step.name] = part;
    progress.finished(step, part);
    return part;
  };
  await Promise.all(steps.map(start));
  return parts;
}

async function execute(step, progress) {
  progress.started(step);
  rmSync(stampFile(step.name), { force: true });
  try {
    const part = await step.run((text) => progress.say(step, text));
    // The key is read again: a step may change what it is made of (a program now on PATH).
    writeJson(stampFile(step.name), { key: digest(step.key()), part });
    return part;
  } catch (error) {
    return {
      state: 'missing',
      detail: error instanceof Error ? error.message : String(error),
      fix: 'node infra/setup.mjs   (again, once the cause above is gone)',
      failed: true,
    };
  }
}
