/**
 * Runs a program that knows nothing of us, and ends it when our stdin closes, that is, however the
 * supervisor ends (kill -9 included).
 *
 *   node guard.mjs SIGNAL GRACE_MS COMMAND [ARG...]
 *
 * The supervisor starts a guard as leader of its own process group: what the program left behind
 * is ended with the group.
 */
import { spawn } from 'node:child_process';

const [signal, grace, command, ...args] = process.argv.slice(2);
// What a program keeps in the state folder is for its owner only.
process.umask(0o077);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
let ending = false;

/** Ends everything of the group, this process too; its code is only looked at when unasked. */
function endGroup() {
  process.kill(0, 'SIGKILL');
}

function end() {
  if (ending) return;
  ending = true;
  child.kill(signal);
  setTimeout(endGroup, Number(grace));
}

child.on('error', (error) => {
  console.error(`guard: ${command} did not start: ${error.message}`);
  process.exit(127);
});
child.on('exit', (code, by) => {
  if (ending) endGroup();
  console.error(`guard: ${command} ended by itself with ${by ?? `code ${code}`}`);
  process.exitCode = code === 0 || code === null ? 1 : code;
  process.stdin.destroy();
  setImmediate(endGroup);
});
process.on('SIGTERM', end);
process.on('SIGINT', end);
process.stdin.on('end', end).on('close', end).on('error', end);
process.stdin.resume();
