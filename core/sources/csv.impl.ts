import { readFactors } from './factors.ts';
import { fileSource, fillIn, type FileParams } from './files.ts';
import { readBars } from './read-bars.ts';
import type { Source } from './source.ts';

export const create = (params: FileParams): Source =>
  fileSource(params, async (ctx, name, profile, request) => {
    const read = readBars(await ctx.openFile(name), name, profile, request);
    if (!profile.factors) return read;
    const factorName = fillIn(profile.factors.file, request.instrument);
    const declared = readFactors(await ctx.openFile(factorName), factorName, profile.factors);
    return { ...read, factors: [...declared, ...read.factors] };
  });
