/** `ratchet demo`: the whole way once, with the commands a user would type. */
import type { Command } from 'commander';
import { askStatus } from '../../infra/stack/control.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { registerDrift } from './demo-drift/demo-drift.ts';
import { ensureStack, runCommand } from './demo-stack.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import type { CliContext } from './output.ts';
import { showAddresses } from './stack-up.ts';

const SPEC = 'examples/demo.yaml';
const FORECASTS = [
  { model: 'demo-gspc', instrument: '^GSPC' },
  { model: 'demo-ixic', instrument: '^IXIC' },
];

export function register(program: Command, ctx: CliContext): void {
  const command = program
    .command('demo')
    .description('start the stack, train a small model on bundled bars, promote it, predict')
    .action(() => demo(ctx));
  registerDrift(command, ctx);
}

interface Forecast {
  readonly instrument: string;
  readonly version: number;
  readonly bars: number;
  readonly target: string;
  readonly change: number;
  readonly direction: string;
  readonly confidence: number | null;
  readonly skillVsNaive: number | null;
}

async function demo(ctx: CliContext): Promise<void> {
  const begin = performance.now();
  ctx.out.line('Ratchet, the demo: bundled bars of two indices, from file to a served champion.');
  ctx.out.line(
    'The training is SMALL (a narrow network, few epochs, two seeds) so that it ends soon;',
  );
  ctx.out.line('its figures say nothing about the model. In full: examples/index-lstm.yaml.');
  await ensureStack(ctx);
  await runCommand(ctx, 'run', SPEC, '--watch');
  const client = await openClient(ctx);
  const rows = (await Promise.all(FORECASTS.map((use) => forecast(client, use)))).flat();
  ctx.out.line('\nThe champions predict (the bundled bars end on 2018-12-31):\n');
  ctx.out.table(rows, [
    { title: 'instrument', value: (row) => row.instrument },
    { title: 'version', value: (row) => row.version, align: 'right' },
    { title: 'bars', value: (row) => row.bars, align: 'right' },
    { title: 'target', value: (row) => row.target },
    { title: 'change', value: (row) => percent(row.change), align: 'right' },
    { title: 'direction', value: (row) => row.direction },
    { title: 'confidence', value: (row) => row.confidence?.toFixed(2), align: 'right' },
    {
      title: 'skill against naive baseline',
      value: (row) => row.skillVsNaive?.toFixed(3),
      align: 'right',
    },
  ]);
  ctx.out.line(
    '\nSkill is 1 - loss/loss of the naive baseline ("nothing changes") on rows the model never saw: 0 is no better.',
  );
  const status = await askStatus(layoutOf(ctx.config.stateDir));
  if (status && !ctx.json) showAddresses(ctx, status);
  const seconds = Math.round((performance.now() - begin) / 1000);
  ctx.out.line(
    `\nDone in ${seconds} s. The stack keeps running: npx ratchet status, npx ratchet down.`,
  );
}

async function forecast(
  client: ApiClient,
  { model, instrument }: (typeof FORECASTS)[number],
): Promise<readonly Forecast[]> {
  const path = `/api/v1/ml-models/${model}`;
  const answer = await client.json('POST', `${path}/predict`, { body: { instrument } });
  const version = Number(answer['version']);
  const { metrics } = await client.json('GET', `${path}/versions/${version}`);
  return (answer['horizons'] as Json[]).map((horizon) => ({
    instrument,
    version,
    bars: Number(horizon['horizon']),
    target: String(horizon['targetDate']),
    change: Number(horizon['change']),
    direction: String(horizon['direction']),
    confidence: horizon['confidence'] as number | null,
    skillVsNaive:
      (metrics as Record<string, number | null>)[`h${String(horizon['horizon'])}.skillVsNaive`] ??
      null,
  }));
}

const percent = (change: number): string =>
  `${change >= 0 ? '+' : ''}${(change * 100).toFixed(2)} %`;
