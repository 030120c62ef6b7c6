import { createRoute, z } from '@hono/zod-openapi';
import { CONTENT_TYPES } from '../../core/ranges/index.ts';
import {
  bytesOfBatch,
  readBatchManifest,
  type BatchManifest,
} from '../../registry/batch-manifest.ts';
import type { BatchPrediction } from '../../registry/batch-predictions.ts';
import { askStore } from '../ask-store.ts';
import { BATCH_PREDICTIONS, batchPredictionFor } from '../batch-prediction-access.ts';
import { byteRangeOf, type ByteRange } from '../byte-range.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { MAX_RANGES, MAX_RANGES_OF_KEY, STALL_MS } from '../range/limits.ts';
import { paced } from '../range/paced.ts';
import { rangePlaces } from '../range/places.ts';
import { ulidSchema } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

/** Bytes that a reader has to take within `STALL_MS`: 9 kB/s. */
const CHUNK_BYTES = 256 * 1024;

const bytesHeaders = z.object({
  etag: z.string().describe('`sha256` of the whole.'),
  'accept-ranges': z.literal('bytes'),
  'content-range': z.string().optional(),
  'x-ratchet-version': z.string(),
  'x-ratchet-rows': z.string(),
});
const content = Object.fromEntries(
  Object.values(CONTENT_TYPES).map((type) => [type, { schema: z.string() }]),
);

/** The answer of a batch prediction: byte for byte what the range would have been as a stream. */
export function batchPredictionRowRoutes(app: App, parts: ApiParts): void {
  const places = rangePlaces({ all: MAX_RANGES, ofKey: MAX_RANGES_OF_KEY });
  const route = createRoute({
    method: 'get',
    path: `${BATCH_PREDICTIONS}/{id}/rows`,
    tags: ['predict'],
    summary: 'The answer of a batch prediction',
    description:
      'For the key that asked, and admins. Byte for byte what `batch-predict` streams for the same range. `Range` goes on with a ' +
      'download that was cut (with `If-Range`, only of the same bytes). Not completed: 409 `batch-prediction.unfinished`.',
    request: {
      params: z.object({ id: ulidSchema }),
      headers: z.object({
        range: z.string().max(100).optional().describe('One range: `bytes=FROM-`.'),
        'if-range': z.string().max(200).optional(),
      }),
    },
    responses: {
      [HTTP.ok]: { description: 'All of it', headers: bytesHeaders, content },
      [HTTP.partial]: {
        description: 'The bytes that were asked for',
        headers: bytesHeaders,
        content,
      },
    },
  });
  const problems = ['conflict', 'range-not-satisfiable'] as const;
  app.openapi(secured(parts.auth, route, { problems }), async (c) => {
    const { caller } = c.var;
    const row = await batchPredictionFor(parts, caller, c.req.valid('param').id);
    const manifest = await manifestOf(parts, row);
    const { range, 'if-range': ifRange } = c.req.valid('header');
    const isSame = ifRange === undefined || ifRange === etagOf(manifest);
    const asked = isSame ? byteRangeOf(range, manifest.bytes) : undefined;
    if (asked === null) throw notThere(manifest.bytes);
    const onEnd = places.take(caller.keyId);
    return answerWith(parts, manifest, asked, onEnd) as never;
  });
}

async function manifestOf(parts: ApiParts, row: BatchPrediction): Promise<BatchManifest> {
  const { manifest_uri: uri, status, parts_done: done, parts: all, message } = row;
  if (uri !== null) return askStore(parts, (store) => readBatchManifest(store, uri));
  const why = message ?? `${done} of ${all} parts are there`;
  throw new ApiError('conflict', 'batch-prediction.unfinished', `It is ${status}: ${why}`);
}

const etagOf = ({ sha256 }: BatchManifest): string => `"${sha256}"`;

function answerWith(
  parts: ApiParts,
  manifest: BatchManifest,
  asked: ByteRange | undefined,
  onEnd: () => void,
): Response {
  const { bytes, contentType, version, rows } = manifest;
  const { from, to } = asked ?? { from: 0, to: bytes };
  const get: Parameters<typeof bytesOfBatch>[0] = (ref) =>
    askStore(parts, (store) => store.get(ref));
  const chunks = inChunks(bytesOfBatch(get, manifest, { from, to }));
  return new Response(paced(chunks, { stopping: parts.stopping, stallMs: STALL_MS, onEnd }), {
    status: asked ? HTTP.partial : HTTP.ok,
    headers: {
      'content-type': contentType,
      'content-length': String(to - from),
      ...(asked && { 'content-range': `bytes ${from}-${to - 1}/${bytes}` }),
      'accept-ranges': 'bytes',
      etag: etagOf(manifest),
      // The bytes never change, but a key that may read them can be revoked.
      'cache-control': 'private, no-cache',
      'x-ratchet-version': String(version),
      'x-ratchet-rows': String(rows),
    },
  });
}

async function* inChunks(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    for (let from = 0; from < piece.length; from += CHUNK_BYTES) {
      yield piece.subarray(from, from + CHUNK_BYTES);
    }
  }
}

const notThere = (bytes: number): ApiError =>
  new ApiError('range-not-satisfiable', 'batch-prediction.bytes', `It has ${bytes} bytes.`, {
    headers: { 'content-range': `bytes */${bytes}` },
  });
