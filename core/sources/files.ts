import { z } from 'zod';
import type { Bars } from '../bars/bars.ts';
import { barCount, sliceBars } from '../bars/bars.ts';
import type { FactorRow } from '../bars/adjust.ts';
import { barsBetween } from '../bars/build.ts';
import { SourceError } from './errors.ts';
import { profileSchema, type Profile } from './profile.ts';
import { profiles } from './profiles.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';

/** What file sources have in common: which file holds which instrument, and what it looks like. */
export const fileParams = z.strictObject({
  file: z
    .string()
    .min(1)
    .max(200)
    .default('{id}.csv')
    .describe('File of an instrument: {id} and {lower} stand for its id.'),
  files: z
    .record(z.string(), z.string().min(1).max(200))
    .default({})
    .describe('Files of instruments whose names follow no pattern.'),
  profile: z
    .union([z.string(), profileSchema])
    .default('ohlcv-date')
    .describe('A named file format, or one written out (see `ratchet inspect FILE`).'),
  pageBars: z.int().min(1).max(1_000_000).default(100_000).describe('Bars a page.'),
});
export type FileParams = z.infer<typeof fileParams>;

/** The profile of the parameters; throws `source.profile` for a name that is not in the catalogue. */
export function profileOf(profile: string | Profile): Profile {
  if (typeof profile !== 'string') return profile;
  const named = profiles.get(profile);
  if (named) return named.profile;
  throw new SourceError(
    'source.profile',
    `no file profile "${profile}"; there are: ${[...profiles.keys()].join(', ')}`,
  );
}

/** Name of the file that holds an instrument. */
export const fileOf = (params: FileParams, instrument: string): string =>
  params.files[instrument] ?? fillIn(params.file, instrument);

export const fillIn = (pattern: string, instrument: string): string =>
  pattern.replaceAll('{id}', instrument).replaceAll('{lower}', instrument.toLowerCase());

/** All that a file has of an instrument. */
export interface FileContent {
  readonly bars: Bars;
  readonly factors: readonly FactorRow[];
  readonly notes: readonly string[];
}

/** Reads the file of that name, which looks as the profile says. */
export type FileReader = (
  ctx: SourceContext,
  name: string,
  profile: Profile,
  request: BarRequest,
) => Promise<FileContent>;

/** A source of files, a file an instrument; throws `source.profile` for a profile that is not in the catalogue. */
export function fileSource(params: FileParams, read: FileReader): Source {
  const profile = profileOf(params.profile);
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    const content = await read(ctx, fileOf(params, request.instrument), profile, request);
    ctx.signal.throwIfAborted();
    yield* pagesOf(content, request, cursor, params.pageBars);
  }
  return {
    // A folder that cannot be listed is not available; why is the operator's to see in the record.
    isAvailable: async (ctx) => (await ctx.listFiles().catch(() => [])).length > 0,
    fetch,
  };
}

/** The requested part of a file's bars, in pages; the cursor is the open time to go on from. */
export function* pagesOf(
  { bars: all, factors, notes }: FileContent,
  request: BarRequest,
  cursor: string | undefined,
  pageBars: number,
): Generator<BarPage> {
  const start = cursor === undefined ? request.from : Number(cursor);
  const bars = barsBetween(all, start, request.to);
  for (let at = 0; at === 0 || at < barCount(bars); at += pageBars) {
    const page = sliceBars(bars, at, Math.min(at + pageBars, barCount(bars)));
    const next = bars.openTime[at + pageBars];
    yield {
      bars: page,
      ...(at === 0 && cursor === undefined && { factors, notes }),
      ...(next !== undefined && { cursor: String(next) }),
    };
  }
}
