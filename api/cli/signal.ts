import { Option, type Command } from 'commander';
import { showExplanation } from './explanation.ts';
import { openClient, type Json } from './http.ts';
import { version } from './options.ts';
import { ASYNC_HEADER, showAccepted } from './results.ts';
import type { CliContext } from './output.ts';

interface SignalOptions {
  readonly asOf?: string;
  readonly version?: number;
  readonly confidence: string;
  readonly record: boolean;
  readonly explain?: boolean;
  readonly async?: boolean;
}

/** `signal`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('signal')
    .argument('<model>')
    .argument('[instrument]', 'where the model answers for several')
    .description('a five-step recommendation from the champion; a rule of thumb where none answers')
    .option('--as-of <time>', 'as of a time of the past: a date, or ISO 8601 with a zone')
    .option('-v, --version <n>', 'this version instead of the champion', version)
    .addOption(
      new Option('-c, --confidence <how>', 'mc: quantities have a probability; none: faster')
        .choices(['mc', 'none'])
        .default('mc'),
    )
    .option('--no-record', 'do not keep the prediction for scoring')
    .option('--async', 'only hand it in; `ratchet results` has the answer')
    .option('-e, --explain', 'say what each feature contributed')
    .action((model: string, instrument: string | undefined, options: SignalOptions) =>
      signal(ctx, model, instrument, options),
    );
}

const share = (value: unknown): string => (typeof value === 'number' ? value.toFixed(2) : '-');
const words = (step: unknown): string => String(step).replace('_', ' ').toUpperCase();

async function signal(
  ctx: CliContext,
  model: string,
  instrument: string | undefined,
  options: SignalOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const { asOf, confidence, record } = options;
  const explain = options.explain === true;
  const body = { model, instrument, asOf, version: options.version, confidence, record, explain };
  const answer = await client.json('POST', '/api/v1/signals', {
    body,
    ...(options.async === true ? { headers: ASYNC_HEADER } : {}),
  });
  if (options.async === true) return showAccepted(ctx, answer);
  ctx.out.data(answer);
  if (ctx.json) return;
  ctx.out.line(
    `${String(answer['instrument'])} as of ${String(answer['asOf']).slice(0, 16)}, last close ${share(answer['lastClose'])}: ${words(answer['recommendation'])}`,
  );
  if (answer['source'] === 'heuristic') {
    const terms = Object.entries(answer['terms'] as Record<string, number>);
    ctx.out.line(
      `RULE OF THUMB (${String(answer['reason'])}): no model answers; score ${share(answer['score'])} of ` +
        terms.map(([name, value]) => `${name} ${share(value)}`).join(', '),
    );
    return;
  }
  ctx.out.table(answer['horizons'] as Json[], [
    { title: 'bars', value: (row) => Number(row['horizon']), align: 'right' },
    { title: 'recommendation', value: (row) => words(row['recommendation']) },
    { title: 'score', value: (row) => share(row['score']), align: 'right' },
    { title: 'P(buy)', value: (row) => share(row['probability']), align: 'right' },
    {
      title: 'scale',
      value: (row) =>
        row['basis'] === 'againstBaseRate' ? 'against its usual share' : 'p(buy) - p(sell)',
    },
  ]);
  const notes = [
    `${model} version ${String(answer['version'])}`,
    answer['beatsNaive'] === true ? 'beats naive' : 'does NOT beat the simplest forecast',
    ...(answer['abstain'] === true ? ['ABSTAIN'] : []),
    ...(answer['stale'] === true ? ['STALE'] : []),
  ];
  ctx.out.line(notes.join(', '));
  showExplanation(ctx, answer);
}
