import type { Command } from 'commander';
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
      'a five-step recommendation from the champion; a rule of thumb where none answers',
    );
  forecastOptions(command, {
    confidence: 'mc: quantities have a probability; none: faster',
  }).action((model: string, instrument: string | undefined, options: ForecastOptions) =>
    signal(ctx, model, instrument, options),
  );
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
    beatsNaiveWords(answer),
    ...(answer['abstain'] === true ? ['ABSTAIN'] : []),
    ...(answer['stale'] === true ? ['STALE'] : []),
  ];
  ctx.out.line(notes.join(', '));
  showExplanation(ctx, answer);
}
