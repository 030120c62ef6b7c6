import { Option, type Command } from 'commander';
import { NAIVE_BASELINE } from '../../core/evaluation/index.ts';
import type { ApiClient, Json } from './http.ts';
import { version } from './options.ts';
import { ASYNC_HEADER, showAccepted } from './results.ts';
import type { CliContext } from './output.ts';

/** What may be asked of a version that forecasts, whatever is made of its answer. */
export interface ForecastOptions {
  readonly asOf?: string;
  readonly version?: number;
  readonly confidence: string;
  readonly record: boolean;
  readonly explain?: boolean;
  readonly async?: boolean;
}

/** Adds the options; `confidence` says what they give this command. */
export function forecastOptions(command: Command, { confidence }: { confidence: string }): Command {
  return command
    .option(
      '--as-of <time>',
      'as of a time of the past: a date (its end: the last bar of that day), or ISO 8601 with a zone',
    )
    .option('-v, --version <n>', 'this version instead of the champion', version)
    .addOption(
      new Option('-c, --confidence <how>', confidence).choices(['mc', 'none']).default('mc'),
    )
    .option('--no-record', 'do not keep the prediction for scoring')
    .option('--async', 'only hand it in; `ratchet results` has the answer')
    .option('-e, --explain', 'say what each feature contributed');
}

/** Asks at `path`; nothing is left to show when the answer was asked for later, or as JSON. */
export async function askForecast(
  ctx: CliContext,
  client: ApiClient,
  path: string,
  subject: { readonly model?: string; readonly instrument: string | undefined },
  options: ForecastOptions,
): Promise<Json | undefined> {
  const { asOf, confidence, record } = options;
  const explain = options.explain === true;
  const answer = await client.json('POST', path, {
    body: { ...subject, asOf, version: options.version, confidence, record, explain },
    ...(options.async === true ? { headers: ASYNC_HEADER } : {}),
  });
  if (options.async === true) {
    showAccepted(ctx, answer);
    return undefined;
  }
  ctx.out.data(answer);
  return ctx.json ? undefined : answer;
}

/** Whether the version that answered is worth more than the naive baseline. */
export const beatsNaiveWords = ({ beatsNaive }: Json): string =>
  `${beatsNaive === true ? 'beats' : 'does NOT beat'} ${NAIVE_BASELINE}`;
