import type { Command } from 'commander';
import { TIMEFRAMES, type Timeframe } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { openClient, type ApiClient, type Json } from '../http.ts';
import { A_TIME, integer, segment } from '../options.ts';
import { CliError, EXIT, type CliContext } from '../output.ts';
import { replay } from './replay.ts';
import { replaySlots } from './slots.ts';

interface ReplayOptions {
  readonly from: string;
  readonly to: string;
  readonly every: number;
}

export function register(program: Command, ctx: CliContext): void {
  program
    .command('replay')
    .argument('<model>')
    .description(
      'send a past period at speed: predictions, settlements, drift reports, by market time',
    )
    .requiredOption('--from <time>', A_TIME)
    .requiredOption('--to <time>', A_TIME)
    .option('--every <sessions>', 'from one drift report to the next', integer(1, 250), 1)
    .action((model: string, options: ReplayOptions) => replayCommand(ctx, model, options));
}

async function replayCommand(
  ctx: CliContext,
  model: string,
  options: ReplayOptions,
): Promise<void> {
  const from = instantOf('--from', options.from);
  const to = instantOf('--to', options.to);
  if (from >= to) {
    throw new CliError(
      EXIT.usage,
      `--from ${options.from} does not lie before --to ${options.to}: a replay goes forward`,
    );
  }
  if (to > Date.now()) {
    throw new CliError(
      EXIT.usage,
      `--to ${options.to} lies in the future: only what has happened can be replayed`,
    );
  }
  const client = await openClient(ctx);
  const served = await servedModel(client, model);
  const slots = replaySlots(calendarFor(served.calendar), served.timeframe, from, to);
  if (slots.length === 0) {
    throw new CliError(
      EXIT.usage,
      `no session of ${model} lies between ${options.from} and ${options.to}`,
    );
  }
  const predictions = await replay({
    client,
    model,
    instruments: served.instruments,
    slots,
    every: options.every,
    signal: ctx.signal,
    onSlot: ({ slot, slots: all, asOf, state }) =>
      ctx.out.progress(`${model}: session ${slot} of ${all}, ${asOf.slice(0, 10)}, ${state}`),
  });
  ctx.out.endProgress();
  const explained = await client.json('GET', `/api/v1/ml-models/${segment(model)}/explain`);
  ctx.out.data({ model, sessions: slots.length, predictions, explained });
  ctx.out.line(`${model}: ${slots.length} sessions, ${predictions} predictions.`);
  for (const sentence of explained['sentences'] as string[]) ctx.out.line(sentence);
  ctx.out.line(`The story: ratchet history ${model}`);
}

function instantOf(option: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isFinite(time)) return time;
  throw new CliError(EXIT.usage, `${option} ${text} is no time: a date, or ISO 8601 with a zone`);
}

export interface ServedModel {
  readonly instruments: readonly string[];
  readonly timeframe: Timeframe;
  readonly calendar: string;
}

/** What a replay must know of a model: its calendar is that of the data its champion was trained on. */
export async function servedModel(client: ApiClient, model: string): Promise<ServedModel> {
  const path = `/api/v1/ml-models/${segment(model)}`;
  const found = await client.json('GET', path);
  const { champion } = await client.json('GET', `${path}/champion`);
  if (champion === null) {
    throw new CliError(EXIT.refused, `${model} has no champion, so there is nothing to replay`, {
      hint: 'run an experiment first: ratchet run SPEC',
    });
  }
  const { version } = champion as Json;
  const { experimentId } = await client.json('GET', `${path}/versions/${String(version)}`);
  const { spec } = await client.json('GET', `/api/v1/experiments/${String(experimentId)}`);
  const sources = ((spec as Json)['data'] as Json)['sources'] as Json[];
  const primary = sources.find(({ role }) => role === 'primary') ?? sources[0];
  const { items } = await client.json('GET', '/api/v1/datasets');
  const dataset = (items as Json[]).find(({ name }) => name === primary?.['dataset']);
  if (!dataset) {
    throw new CliError(EXIT.refused, `${model} was trained on data without a calendar on record`, {
      hint: 'a replay needs a named dataset: docs/datasets.md',
    });
  }
  return {
    instruments: found['instruments'] as string[],
    timeframe: TIMEFRAMES.find((name) => name === found['timeframe']) ?? '1d',
    calendar: String(dataset['calendar']),
  };
}
