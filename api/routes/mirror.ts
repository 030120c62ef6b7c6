import { createRoute, z } from '@hono/zod-openapi';
import { recordAudit } from '../../registry/audit.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { rebuildMirror } from '../../registry/mlflow-mirror.ts';
import { requireAllModels } from '../auth.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

/** The MLflow mirror; PostgreSQL is what it shows, so it can be filled anew at any time. */
export function mirrorRoutes(app: App, parts: ApiParts): void {
  const rebuild = createRoute({
    method: 'post',
    path: '/api/v1/mirror/rebuild',
    tags: ['server'],
    summary: 'Write everything to MLflow again, such as after it lost its data',
    responses: {
      [HTTP.accepted]: jsonAnswer(
        z.object({ messages: z.int().describe('What waits to be written; it goes on by itself.') }),
        'Enqueued',
      ),
    },
  });
  app.openapi(secured(parts.auth, rebuild), async (c) => {
    requireAllModels(c.var.caller);
    const messages = await inTransaction(parts.db, async (trx) => {
      const count = await rebuildMirror(trx);
      await recordAudit(trx, {
        actor: c.var.caller.keyId,
        action: 'mirror.rebuild',
        object: 'mirror/mlflow',
        after: { messages: count },
        requestId: c.var.requestId,
      });
      return count;
    });
    return c.json({ messages }, HTTP.accepted);
  });
}
