/** What a batch of predictions left: the parts of its answer, in order, and what stands around them. */
import { z } from 'zod';
import { RANGE_FORMATS } from '../core/ranges/index.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { getJson, refOf, sha256OfUri } from './artifacts.ts';

const piece = { uri: z.string(), sha256: z.string(), bytes: z.int().min(0) };
const counted = { rows: z.int().min(0), failed: z.int().min(0) };

export const batchManifestSchema = z.strictObject({
  model: z.string(),
  version: z.int().min(1).or(z.literal('then')),
  format: z.enum(RANGE_FORMATS),
  contentType: z.string(),
  /** `RangeFacts` of core/ranges. */
  question: z.string(),
  ...counted,
  /** Of all bytes together: what stands before the rows, the parts in order, and what stands behind. */
  ...{ sha256: piece.sha256, bytes: piece.bytes },
  head: z.strictObject(piece),
  parts: z.array(
    z.strictObject({ ...piece, ...counted, firstCursor: z.string(), lastCursor: z.string() }),
  ),
  tail: z.strictObject(piece),
});
export type BatchManifest = Readonly<z.infer<typeof batchManifestSchema>>;

export async function readBatchManifest(store: ArtifactStore, uri: string): Promise<BatchManifest> {
  return batchManifestSchema.parse(await getJson(store, refOf(sha256OfUri(uri))));
}

/** Bytes `from` to `to` (not included) of the whole, piece by piece: each is read, and its digest checked, when it is asked for. */
export async function* bytesOfBatch(
  get: ArtifactStore['get'],
  { head, parts, tail }: BatchManifest,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for (const { uri, sha256, bytes } of [head, ...parts, tail]) {
    const [start, end] = [Math.max(from - at, 0), Math.min(to - at, bytes)];
    if (start < end) yield (await get({ uri, sha256 })).subarray(start, end);
    at += bytes;
    if (at >= to) return;
  }
}
