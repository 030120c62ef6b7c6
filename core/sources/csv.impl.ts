import { readFactors } from './factors.ts';
import { fileOf, fillIn, pagesOf, profileOf, type FileParams } from './files.ts';
import { readBars } from './read-bars.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';

export function create(params: FileParams): Source {
  const profile = profileOf(params.profile);

  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    const name = fileOf(params, request.instrument);
    const read = readBars(await ctx.openFile(name), name, profile, request);
    const factorName = profile.factors && fillIn(profile.factors.file, request.instrument);
    const declared = profile.factors
      ? readFactors(await ctx.openFile(factorName!), factorName!, profile.factors)
      : [];
    ctx.signal.throwIfAborted();
    const extra = { factors: [...declared, ...read.factors], notes: read.notes };
    yield* pagesOf(read.bars, request, cursor, params.pageBars, extra);
  }

  return {
    // A folder that cannot be listed is not available; why is the operator's to see in the record.
    isAvailable: async (ctx) => (await ctx.listFiles().catch(() => [])).length > 0,
    fetch,
  };
}
