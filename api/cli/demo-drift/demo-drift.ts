/** `ratchet demo drift`: three lives of one champion, side by side, by the commands and routes a user has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { calendarFor } from '../../../core/calendar/index.ts';
import { projectRoot } from '../../../infra/project.ts';
import { openClient, type ApiClient, type Json } from '../http.ts';
import { CliError, EXIT, shortened, type CliContext } from '../output.ts';
import { replay } from '../replay/replay.ts';
import { replaySlots } from '../replay/slots.ts';
import { ensureStack } from '../demo-stack.ts';
import { faultsOf, type RunName, type StoryEvent } from './expected.ts';

const SPEC = 'examples/drift.yaml';
const FROM = '2024-01-22T00:00:00Z';
const TO = '2024-03-25T00:00:00Z';
const POLL_MS = 300;
/** The history has the whole sentences. */
const WORDS_CHARS = 150;

const RUNS: readonly {
  readonly name: RunName;
  readonly planted: string;
  readonly right: string;
}[] = [
  {
    name: 'change',
    planted: 'On 2024-02-01 what past returns say about the next one turned round.',
    right: 'drift, retrain, shadow, promoted',
  },
  {
    name: 'noise',
    planted:
      'On 2024-02-01 prices, wicks and volume began to swing far more; what they say stayed the same.',
    right: 'input drift, retrain, shadow, champion unchanged',
  },
  { name: 'steady', planted: 'Nothing was changed.', right: 'no retrain' },
];

/** Under `demo`, which stands in demo.ts. */
export function registerDrift(demo: Command, ctx: CliContext): void {
  demo
    .command('drift')
    .description('replay three planted worlds: a learnable change, noise, and none')
    .action(() => demoDrift(ctx));
}

interface Told {
  readonly run: RunName;
  readonly model: string;
  readonly story: readonly StoryEvent[];
  readonly faults: readonly string[];
}

async function demoDrift(ctx: CliContext): Promise<void> {
  const begin = performance.now();
  ctx.out.line(
    'Ratchet, the drift demo: nine weeks of simulated hourly bars, three worlds side by side.',
  );
  await ensureStack(ctx);
  const client = await openClient(ctx);
  const told = await Promise.all(RUNS.map(({ name }) => live(ctx, client, name)));
  ctx.out.endProgress();
  for (const [i, run] of RUNS.entries()) tell(ctx, run, told[i]!);
  ctx.out.data(told);
  const wrong = told.filter(({ faults }) => faults.length > 0);
  const seconds = Math.round((performance.now() - begin) / 1000);
  if (wrong.length > 0) {
    const details = { faults: Object.fromEntries(wrong.map(({ run, faults }) => [run, faults])) };
    const names = wrong.map(({ run }) => run).join(' and ');
    throw new CliError(EXIT.failed, `the story of ${names} is not what was planted`, { details });
  }
  ctx.out.line(`\nAll three ended as planted, in ${seconds} s.`);
}

/** One world: the first champion, the replay, and what the public history says of it. */
async function live(ctx: CliContext, client: ApiClient, run: RunName): Promise<Told> {
  const spec = specOf(run);
  const model = spec.model;
  await firstChampion(ctx, client, spec);
  const slots = replaySlots(calendarFor('24x7'), '1h', Date.parse(FROM), Date.parse(TO));
  const done = await alreadyReplayed(client, model, slots.at(-1)!.end);
  if (!done) {
    await replay({
      client,
      model,
      instruments: ['SIM-A'],
      slots,
      every: 1,
      signal: ctx.signal,
      onSlot: ({ slot, slots: all, asOf, state }) => {
        // Without a terminal each line stays: one a week is enough.
        if (!ctx.interactive && slot % 7 !== 0) return;
        ctx.out.progress(`${run}: day ${slot} of ${all}, ${asOf.slice(0, 10)}, ${state}`);
      },
    });
  }
  const story = await storyOf(client, model);
  return { run, model, story, faults: faultsOf(run, story) };
}

interface DriftSpec extends Json {
  readonly model: string;
}

function specOf(run: RunName): DriftSpec {
  const spec = parseYaml(readFileSync(join(projectRoot, SPEC), 'utf8')) as DriftSpec;
  const data = spec['data'] as Json;
  const name = `drift-${run}`;
  const sources = [{ dataset: `simulated-${run}`, role: 'primary' }];
  return { ...spec, name, model: name, data: { ...data, sources } };
}

/** Runs the experiment where the model has no champion yet; a demo that was broken off goes on. */
async function firstChampion(ctx: CliContext, client: ApiClient, spec: DriftSpec): Promise<void> {
  if (await hasChampion(client, spec.model)) return;
  ctx.out.progress(`${spec.model}: training the first champion`);
  const started = await client.json('POST', '/api/v1/experiments', {
    body: spec,
    headers: { 'idempotency-key': `demo-${spec.model}` },
  });
  const id = String(started['id']);
  for (;;) {
    const experiment = await client.json('GET', `/api/v1/experiments/${id}`);
    const status = String(experiment['status']);
    if (status === 'completed' || status === 'skipped') return;
    if (status === 'failed' || status === 'cancelled') {
      throw new CliError(
        EXIT.failed,
        `${spec.model}: the first experiment ${status}: ${String(experiment['message'])}`,
      );
    }
    await pause(POLL_MS, undefined, { signal: ctx.signal });
  }
}

async function hasChampion(client: ApiClient, model: string): Promise<boolean> {
  try {
    const { champion } = await client.json('GET', `/api/v1/ml-models/${model}/champion`);
    return champion !== null;
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.notFound) return false;
    throw error;
  }
}

async function alreadyReplayed(client: ApiClient, model: string, end: number): Promise<boolean> {
  const { settledAsOf } = await client.json('GET', `/api/v1/ml-models/${model}/explain`);
  return typeof settledAsOf === 'string' && Date.parse(settledAsOf) >= end;
}

async function storyOf(client: ApiClient, model: string): Promise<StoryEvent[]> {
  const events: StoryEvent[] = [];
  for (let before: string | undefined; ;) {
    const query = { limit: 200, before };
    const page = await client.json('GET', `/api/v1/ml-models/${model}/history`, { query });
    events.push(...(page['items'] as StoryEvent[]));
    const next = page['nextCursor'] as string | null;
    if (next === null) return events.reverse();
    before = next;
  }
}

function tell(ctx: CliContext, run: (typeof RUNS)[number], { model, story, faults }: Told): void {
  ctx.out.line(`\n${model}: ${run.planted}`);
  for (const { asOf, words } of story) {
    ctx.out.line(`  ${asOf?.slice(0, 10) ?? '          '}  ${shortened(words, WORDS_CHARS)}`);
  }
  if (faults.length === 0) ctx.out.line(`  = as it must be: ${run.right}`);
  for (const fault of faults) ctx.out.line(`  ! ${fault}`);
}
