import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { segment } from './options.ts';
import type { CliContext } from './output.ts';

const LOOK_EVERY_MS = 1_000;

/** `results`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('results')
    .argument('<id>')
    .description('the answer of what was asked with --async, as JSON')
    .option('-w, --wait', 'stay until it is there')
    .action((id: string, options: { readonly wait?: boolean }) => results(ctx, id, options));
}

async function results(
  ctx: CliContext,
  id: string,
  { wait }: { readonly wait?: boolean },
): Promise<void> {
  const client = await openClient(ctx);
  const path = `/api/v1/results/${segment(id)}`;
  for (;;) {
    const answer = await client.json('GET', path);
    const isPending = answer['status'] === 'pending';
    if (isPending && wait === true) {
      await pause(LOOK_EVERY_MS, undefined, { signal: ctx.signal });
      continue;
    }
    ctx.out.data(answer);
    ctx.out.line(isPending ? 'still pending' : JSON.stringify(answer, undefined, 2));
    return;
  }
}

/** Header of a request whose answer is fetched later. */
export const ASYNC_HEADER = { prefer: 'respond-async' };

/** Says where an accepted request will have its answer. */
export function showAccepted(ctx: CliContext, answer: Json): void {
  const id = String(answer['id']);
  ctx.out.data(answer);
  ctx.out.line(`accepted; its answer: ratchet results ${id} --wait`);
}
