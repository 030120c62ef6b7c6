import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { followEvents } from './events.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { askedExperiment, AN_EXPERIMENT } from './named-experiment.ts';
import { idempotencyKey, integer } from './options.ts';
import { CliError, EXIT, type CliContext, type ExitCode, shortened, toMinute } from './output.ts';
import { failedModels, ProgressView, type FailedModel } from './progress.ts';
import { readSpec, uploadFiles } from './spec-file.ts';

/** `run`, `experiments`, `watch`, `cancel`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('run')
    .argument('<spec>', 'experiment spec, YAML or JSON')
    .description('start an experiment; files named as datasets are uploaded first')
    .option('-w, --watch', 'stay and show its progress')
    .option('--key <key>', 'Idempotency-Key: the same key starts it once', idempotencyKey)
    .action((spec: string, options: { watch?: boolean; key?: string }) => run(ctx, spec, options));

  program
    .command('experiments')
    .description('list experiments, newest first')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 20)
    .option('-m, --model <name>', 'of one model')
    .addOption(
      new Option('-s, --status <status>', 'in one status').choices([
        'queued',
        'running',
        'completed',
        'skipped',
        'failed',
        'cancelled',
      ]),
    )
    .action((options: { limit: number; model?: string; status?: string }) => list(ctx, options));

  program
    .command('watch')
    .argument('<experiment>', AN_EXPERIMENT)
    .description('show the progress of an experiment until it ends')
    .action(async (asked: string) => {
      const client = await openClient(ctx);
      const id = await askedExperiment(client, asked);
      if (id !== asked) ctx.out.line(`experiment ${id}`);
      await watch(ctx, client, id);
    });

  program
    .command('cancel')
    .argument('<experiment>', AN_EXPERIMENT)
    .description('stop an experiment')
    .action(async (asked: string) => {
      const client = await openClient(ctx);
      const id = await askedExperiment(client, asked);
      const answer = await client.json(
        'POST',
        `/api/v1/experiments/${encodeURIComponent(id)}/cancel`,
      );
      ctx.out.data(answer);
      ctx.out.line(`asked ${id} to stop; \`ratchet watch ${id}\` shows when it has`);
    });
}

async function run(
  ctx: CliContext,
  file: string,
  options: { watch?: boolean; key?: string },
): Promise<void> {
  const spec = await readSpec(file);
  const client = await openClient(ctx);
  await uploadFiles(ctx, client, spec, dirname(resolve(file)));
  const answer = await client.json('POST', '/api/v1/experiments', {
    body: spec,
    headers: { 'idempotency-key': options.key ?? randomUUID() },
  });
  const id = String(answer['id']);
  if (options.watch !== true) {
    ctx.out.data(answer);
    ctx.out.line(`experiment ${id} is ${String(answer['status'])}`);
    ctx.out.line(`watch it: ratchet watch ${id}`);
    return;
  }
  ctx.out.line(`experiment ${id}`);
  await watch(ctx, client, id);
}

async function list(
  ctx: CliContext,
  options: { limit: number; model?: string; status?: string },
): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', '/api/v1/experiments', { query: { ...options } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'experiment', value: (row) => String(row['id']) },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'name', value: (row) => String(row['name']) },
      { title: 'model', value: (row) => String(row['model']) },
      { title: 'started', value: (row) => toMinute(row['createdAt']) },
      { title: 'message', value: (row) => shortened((row['message'] as string | null) ?? '-') },
    ],
    'no experiments yet: ratchet run examples/demo.yaml',
  );
}

/** Shows events until the experiment ends; the exit code says how it ended. */
export async function watch(ctx: CliContext, client: ApiClient, id: string): Promise<void> {
  const path = `/api/v1/experiments/${encodeURIComponent(id)}`;
  // Says whether there is such a one, before anything is waited for.
  await client.json('GET', path);
  const view = new ProgressView();
  let failed: readonly FailedModel[] = [];
  try {
    for await (const event of followEvents(client, `${path}/events`, ctx.signal)) {
      ctx.out.event(event);
      if (event.kind === 'done') failed = failedModels(event.payload);
      if (ctx.json) continue;
      const shown = view.lineOf(event);
      if (shown?.live !== undefined) ctx.out.progress(shown.line, shown.live);
      else if (shown) ctx.out.line(shown.line);
    }
  } catch (error) {
    ctx.out.endProgress();
    if (ctx.signal.aborted) {
      ctx.out.line(
        `${id} goes on: \`ratchet watch ${id}\` shows it, \`ratchet cancel ${id}\` stops it`,
      );
    }
    throw error;
  }
  ctx.out.endProgress();
  const last = await client.json('GET', path);
  const status = String(last['status']);
  const code: ExitCode = status === 'completed' || status === 'skipped' ? EXIT.ok : EXIT.failed;
  if (code !== EXIT.ok) {
    const message = typeof last['message'] === 'string' ? `: ${last['message']}` : '';
    throw new CliError(code, `experiment ${id} ${status}${message}`, { details: { status } });
  }
  if (failed.length > 0) {
    const named = failed.map(({ model, reason }) => `${model} (${reason})`).join(', ');
    const plural = failed.length === 1 ? '1 of its models' : `${failed.length} of its models`;
    throw new CliError(EXIT.failed, `experiment ${id} ${status}, but ${plural} failed: ${named}`, {
      hint: 'the others have their versions; run the spec again for those that failed: finished ones are skipped',
      details: { status, failed },
    });
  }
}
