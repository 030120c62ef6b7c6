import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { watch } from './experiments.ts';
import { openClient, type Json } from './http.ts';
import { fraction, integer, list, segment } from './options.ts';
import { shortened, type CliContext } from './output.ts';

interface TrainOptions {
  readonly instruments?: string[];
  readonly days?: number;
  readonly testSize?: number;
  readonly lookback?: number;
  readonly threshold?: number;
  readonly rounds?: number;
  readonly force?: boolean;
  readonly watch?: boolean;
  readonly status?: boolean;
  readonly history?: boolean;
}

/** `train`: start one, or see what the newest one does. */
export function registerTrain(program: Command, ctx: CliContext): void {
  program
    .command('train')
    .argument('<model>')
    .description('train a model by its template, or show its trainings (--status, --history)')
    .option('-i, --instruments <ids>', 'must be those of the model', list)
    .option('-d, --days <n>', 'labelled samples to train, validate and test on', integer(100, 5000))
    .option(
      '--test-size <share>',
      'share of the test part, and of the one before it',
      fraction(0.05, 0.4),
    )
    .option('--lookback <bars>', 'bars of a window', integer(1, 512))
    .option(
      '--threshold <return>',
      'least return that counts as a move, 0.02 = 2 %',
      fraction(1e-9, 1),
    )
    .option(
      '--rounds <n>',
      'how long a fit trains: rounds or epochs of the family',
      integer(1, 100_000),
    )
    .option('-f, --force', 'train although a fitting version exists')
    .option('-w, --watch', 'stay and show its progress')
    .option('--status', 'only show what the newest training does')
    .option('--history', 'only list the trainings')
    .action(async (model: string, options: TrainOptions) => {
      if (options.status === true) return status(ctx, model);
      if (options.history === true) return history(ctx, model);
      return train(ctx, model, options);
    });
}

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;

async function train(ctx: CliContext, model: string, options: TrainOptions): Promise<void> {
  const client = await openClient(ctx);
  const answer = await client.json('POST', `${pathOf(model)}/train`, {
    body: {
      instruments: options.instruments,
      trainingDays: options.days,
      testSize: options.testSize,
      lookbackDays: options.lookback,
      threshold: options.threshold,
      rounds: options.rounds,
      forceRetrain: options.force,
    },
    headers: { 'idempotency-key': randomUUID() },
  });
  const id = String(answer['experimentId']);
  if (options.watch === true) {
    ctx.out.line(`experiment ${id}`);
    return watch(ctx, client, id);
  }
  ctx.out.data(answer);
  ctx.out.line(`training ${(answer['models'] as string[]).join(', ')} in experiment ${id}`);
  ctx.out.line(`watch it: ratchet watch ${id}`);
}

async function status(ctx: CliContext, model: string): Promise<void> {
  const client = await openClient(ctx);
  const answer = await client.json('GET', `${pathOf(model)}/training-status`);
  ctx.out.data(answer);
  const run = answer['run'] as Json | null;
  if (run === null) return ctx.out.line(`${model} was never trained: ratchet train ${model}`);
  const progress = answer['progress'] as Json | null;
  const stage = progress?.['stage'] ? `, ${String(progress['stage'])}` : '';
  const message = run['message'] === null ? '' : `: ${String(run['message'])}`;
  ctx.out.line(
    `${String(answer['status'])}${stage} (experiment ${String(run['experimentId'])})${message}`,
  );
}

async function history(ctx: CliContext, model: string): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', `${pathOf(model)}/training-history`);
  ctx.out.table(
    items as Json[],
    [
      { title: 'experiment', value: (row) => String(row['experimentId']) },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'started', value: (row) => String(row['createdAt']) },
      { title: 'ended', value: (row) => row['finishedAt'] as string | null },
      { title: 'message', value: (row) => shortened((row['message'] as string | null) ?? '-') },
    ],
    'never trained',
  );
}
