import type { Command } from 'commander';
import { openClient } from './http.ts';
import type { CliContext } from './output.ts';

/** `mirror rebuild`. */
export function register(program: Command, ctx: CliContext): void {
  const mirror = program.command('mirror').description('the copy of the registry in MLflow');
  mirror
    .command('rebuild')
    .description('write everything to MLflow again, such as after it lost its data')
    .action(async () => {
      const client = await openClient(ctx);
      const answer = await client.json('POST', '/api/v1/mirror/rebuild');
      ctx.out.data(answer);
      ctx.out.line(`${String(answer['messages'])} things will be written to MLflow again`);
      ctx.out.line('`ratchet doctor` shows how many still wait');
    });
}
