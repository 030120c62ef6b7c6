import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Log } from '../../activities/deps.ts';
import type { ServedModel } from '../../registry/champions.ts';
import { writeFileDurably } from './durable-file.ts';

/** What a replica notes of one model on its own disk: a start without the registry serves it again. */
export interface ServedNote {
  /** The champion that the registry named last. */
  readonly current: ServedModel;
  /** The former champion it stands on, which stands in where its package does not load. */
  readonly previous: ServedModel | null;
}

const servedSchema = z.object({
  model: z.string(),
  version: z.int(),
  generation: z.int(),
  packageDigest: z.string(),
  manifestUri: z.string(),
  instruments: z.array(z.string()),
  experimentId: z.string(),
  beatsNaive: z.boolean(),
  createdAt: z.coerce.date(),
  changedAt: z.coerce.date(),
  trainedThrough: z.coerce.date().nullable(),
  sources: z.array(
    z.object({
      dataset: z.string(),
      role: z.enum(['primary', 'fallback', 'substitute', 'exogenous']),
    }),
  ),
});
const notesSchema = z.object({
  format: z.literal(1),
  models: z.array(z.object({ current: servedSchema, previous: servedSchema.nullable() })),
});

/** Notes of a file; none where there is none, or where it cannot be read (the registry has it all). */
export async function readNotes(file: string, log: Log): Promise<readonly ServedNote[]> {
  try {
    return notesSchema.parse(JSON.parse(await readFile(file, 'utf8'))).models;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn({ err: error }, 'the champions noted on disk are unreadable');
    }
    return [];
  }
}

/** Replaces the file; a disk that refuses is logged, since serving goes on without. */
export async function writeNotes(
  file: string,
  models: readonly ServedNote[],
  log: Log,
): Promise<void> {
  await writeFileDurably(file, JSON.stringify({ format: 1, models })).catch((error: unknown) =>
    log.error({ err: error }, 'champions cannot be kept on disk'),
  );
}
