import { spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream, mkdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const TOOLS = join(ROOT, '.tools');

/** Processes started so far: a second run of set-up starts none (test/infra asserts it). */
export let spawned = 0;

/** A command that failed, with the end of what it said. */
export class CommandError extends Error {
  constructor(command, code, tail, logFile) {
    super(`${command} ended with ${code}${tail ? `:\n${tail}` : ''}\n(all of it: ${logFile})`);
    this.name = 'CommandError';
  }
}

/**
 * Runs one command without a shell, its output appended to .tools/logs/<log>.log.
 * Resolves with stdout; throws `CommandError` on a non-zero end or after `timeoutMs`.
 */
export function run(command, args, { cwd = ROOT, env = {}, log, timeoutMs = 1_200_000 } = {}) {
  spawned += 1;
  const logFile = join(TOOLS, 'logs', `${log ?? 'setup'}.log`);
  mkdirSync(dirname(logFile), { recursive: true });
  const file = createWriteStream(logFile, { flags: 'a' });
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    const keep = (stream, chunk) => {
      file.write(chunk);
      said[stream] = (said[stream] + chunk).slice(-20_000);
    };
    child.stdout.on('data', (chunk) => keep('out', chunk));
    child.stderr.on('data', (chunk) => keep('err', chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const stop = () => child.kill('SIGTERM');
    process.once('exit', stop);
    child.on('error', (error) => {
      clearTimeout(timer);
      process.off('exit', stop);
      failed(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      process.off('exit', stop);
      file.end();
      if (code === 0) return done(said.out);
      const tail = (said.err.trim() || said.out.trim()).split('\n').slice(-8).join('\n');
      failed(
        new CommandError(`${command} ${args[0] ?? ''}`, signal ?? `code ${code}`, tail, logFile),
      );
    });
  });
}

/** Full path of a program on PATH (and in `extra` folders), found without starting anything. */
export function which(name, extra = []) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...extra]) {
    if (!folder) continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      continue;
    }
  }
  return undefined;
}
