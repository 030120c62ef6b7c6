import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../infra/project.ts';
import { askStatus } from '../../infra/stack/control.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

/** Starts the local stack where none runs. */
export async function ensureStack(ctx: CliContext): Promise<void> {
  const layout = layoutOf(ctx.config.stateDir);
  if (!(await askStatus(layout))) await runCommand(ctx, 'up', '--detach');
}

/** One `ratchet` command, shown and run as the user would. */
export function runCommand(ctx: CliContext, ...args: string[]): Promise<void> {
  ctx.out.line(`\n$ npx ratchet ${args.join(' ')}`);
  // Under --json only the final rows go to stdout; the commands' own lines go to stderr.
  const child = spawn(process.execPath, [join(projectRoot, 'bin/ratchet.mjs'), ...args], {
    cwd: projectRoot,
    stdio: ['inherit', ctx.json ? 2 : 'inherit', 'inherit'],
    env: { ...process.env, RATCHET_STATE: ctx.config.stateDir },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const message = `\`ratchet ${args[0]}\` ended with ${code ?? 'a signal'}`;
      reject(new CliError(EXIT.failed, message, { hint: 'find out: ratchet doctor' }));
    });
  });
}
