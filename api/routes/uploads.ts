import { createHash } from 'node:crypto';
import { createRoute, z } from '@hono/zod-openapi';
import { recordUpload } from '../../registry/uploads.ts';
import { askStore } from '../ask-store.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { readBody } from '../request-guard.ts';
import { jsonAnswer } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

/** Largest file: 25 years of hourly bars are about 15 MB of CSV. */
export const UPLOAD_BYTES = 64 * 1024 * 1024;
/** Uploads held in memory at once. */
const MAX_AT_ONCE = 4;

const uploadSchema = z
  .object({
    sha256: z.string(),
    bytes: z.int(),
    fileName: z.string(),
    dataset: z.string().describe('What a spec writes as its dataset.'),
  })
  .openapi('Upload');

/** A file of bars: its name is the hash of its bytes; the same bytes twice are one upload. */
export function uploadRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/uploads',
    tags: ['experiments'],
    summary: 'Upload a file of bars',
    request: {
      query: z.object({
        name: z
          .string()
          .regex(/^[A-Za-z0-9^][A-Za-z0-9^._=-]{0,127}$/, 'a file name without folders'),
      }),
      body: {
        required: true,
        content: {
          'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) },
        },
      },
    },
    responses: { [HTTP.created]: jsonAnswer(uploadSchema, 'Stored') },
  });
  let running = 0;
  app.openapi(secured(parts.auth, route), async (c) => {
    if (running >= MAX_AT_ONCE) {
      throw new ApiError('unavailable', 'upload.busy', 'Too many uploads at once.', {
        retryAfterS: 2,
      });
    }
    running++;
    try {
      const bytes = await readBody(c, UPLOAD_BYTES);
      if (bytes.byteLength === 0) {
        throw new ApiError('unprocessable', 'upload.empty', 'The file is empty.');
      }
      const fileName = c.req.valid('query').name;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const artifact = await askStore(parts, (store) => store.put(bytes));
      await recordUpload(parts.db, {
        sha256,
        fileName,
        bytes: bytes.byteLength,
        artifactUri: artifact.uri,
        actor: c.var.caller.keyId,
        requestId: c.var.requestId,
      });
      return c.json(
        { sha256, bytes: bytes.byteLength, fileName, dataset: `upload:${sha256}` },
        HTTP.created,
      );
    } finally {
      running--;
    }
  });
}
