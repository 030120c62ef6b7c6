import type { Command } from 'commander';
import { EMERGENCY_STOP } from '../../core/signals/index.ts';
import { showExplanation } from './explanation.ts';
import { askForecast, beatsNaiveWords, forecastOptions, type ForecastOptions } from './forecast.ts';
import { openClient, type Json } from './http.ts';
import type { CliContext } from './output.ts';

/** `signal`. */
export function register(program: Command, ctx: CliContext): void {
  const command = program
    .command('signal')
    .argument('<model>')
    .argument('[instrument]', 'where the model answers for several')
    .description(
      'a five-step recommendation from the champion; the declared strategy, else a rule of thumb, where none answers',
    );
  forecastOptions(command, {
    confidence: 'mc: quantities have a probability; none: faster',
  }).action((model: string, instrument: string | undefined, options: ForecastOptions) =>
    signal(ctx, model, instrument, options),
  );
}

/** Shown from here on: less is any Tuesday. */
const WORTH_A_LINE = 0.3;

/** How urgent it is to leave, where it is at all. */
function showEmergency(ctx: CliContext, emergency: Record<string, number> | null): void {
  const { score = 0, ...parts } = emergency ?? {};
  if (score < WORTH_A_LINE) return;
  const of = Object.entries(parts).map(([name, value]) => `${name} ${share(value)}`);
  const what = score >= EMERGENCY_STOP ? 'EMERGENCY: leave at the next open' : 'emergency score';
  ctx.out.line(`${what}, ${share(score)} of 1 (${of.join(', ')})`);
}

const share = (value: unknown): string => (typeof value === 'number' ? value.toFixed(2) : '-');
const words = (step: unknown): string => String(step).replace('_', ' ').toUpperCase();

async function signal(
  ctx: CliContext,
  model: string,
  instrument: string | undefined,
  options: ForecastOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const answer = await askForecast(ctx, client, '/api/v1/signals', { model, instrument }, options);
  if (answer === undefined) return;
  ctx.out.line(
    `${String(answer['instrument'])} as of ${String(answer['asOf']).slice(0, 16)}, last close ${share(answer['lastClose'])}: ${words(answer['recommendation'])}`,
  );
  showEmergency(ctx, answer['emergency'] as Record<string, number> | null);
  if (answer['source'] === 'strategy') {
    showStrategy(ctx, answer);
    return;
  }
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
  showModel(ctx, answer, (answer['prediction'] ?? answer) as Json);
}

/** A strategy speaks: by the model's answer, or without any. */
function showStrategy(ctx: CliContext, answer: Json): void {
  const { position, decidedBy } = answer['strategy'] as Json;
  const asked = answer['reason'] === null;
  const why = asked ? 'STRATEGY' : `STRATEGY (${String(answer['reason'])}): no model answers`;
  ctx.out.line(`${why}; ${String(decidedBy)} would hold ${share(position)} of what may be held`);
  if (asked) showModel(ctx, answer, answer['prediction'] as Json);
}

/** Which version answered, and how far it is to be relied on. */
function showModel(ctx: CliContext, answer: Json, { beatsNaive, staleBars }: Json): void {
  const bars = typeof staleBars === 'number' ? ` by ${staleBars} bars` : '';
  const notes = [
    `${String(answer['model'])} version ${String(answer['version'])}`,
    beatsNaiveWords({ beatsNaive }),
    ...(answer['abstain'] === true ? ['ABSTAIN'] : []),
    ...(answer['stale'] === true ? [`STALE${bars}`] : []),
  ];
  ctx.out.line(notes.join(', '));
  showExplanation(ctx, answer);
}
