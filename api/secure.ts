import { OpenAPIHono, z, type RouteConfig } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { authorize, type Authenticator, type AuthVariables } from './auth.ts';
import { knownKeysAt, nearestName } from '../core/spec/index.ts';
import type { ProblemKind } from '../core/problems.ts';
import { ApiError, MAX_ISSUES, pointer, statusOf, titleOf, type FieldIssue } from './errors.ts';
import { jsonBody } from './request-guard.ts';
import { routeTable } from './route-table.ts';
import type { Upgrade } from './upgrade.ts';

export type Env = {
  Bindings: {
    /** There where the request asks for a WebSocket. */
    readonly upgrade?: Upgrade;
  };
  Variables: AuthVariables & {
    /** Of the route's JSON body: names the fields that an unknown one may have meant. */
    bodySchema?: z.ZodType;
  };
};
export type App = OpenAPIHono<Env>;

/** Largest JSON body: a window of 512 x 152 numbers has 1.6 MB. */
export const JSON_BODY_BYTES = 4 * 1024 * 1024;

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable: match on this.'),
    detail: z.string(),
    requestId: z.string(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi('Problem');

/** A new app whose validators answer with problems. */
export function newApp(): App {
  return new OpenAPIHono<Env>({
    defaultHook: (result, c) => {
      if (!result.success) throw invalid(result.target, result.error, c.get('bodySchema'));
    },
  });
}

/** Which of the parts a request can be wrong in is a 400 (not understood), and which a 422 (understood, not possible). */
function invalid(target: string, error: z.core.$ZodError, body: z.ZodType | undefined): ApiError {
  if (target === 'json') return bodyProblem(error, body);
  const { issues, detail } = described(error, target, undefined);
  return new ApiError('bad-request', `${target}.invalid`, detail, { issues });
}

/** The problem of a body, or of a part of one, that is not what `schema` says. */
export function bodyProblem(error: z.core.$ZodError, schema: z.ZodType | undefined): ApiError {
  const { issues, detail } = described(error, 'body', schema);
  return new ApiError('unprocessable', 'body.invalid', detail, { issues });
}

function described(error: z.core.$ZodError, what: string, body: z.ZodType | undefined) {
  const issues = error.issues.flatMap((issue) => issuesOf(issue, body)).slice(0, MAX_ISSUES);
  const first = issues[0];
  const detail = first ? `${first.path || what}: ${first.message}` : 'not valid';
  return { issues, detail };
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') {
    return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  }
  const isAbsent = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return isAbsent ? 'is missing' : issue.message;
}

function issuesOf(issue: z.core.$ZodIssue, body: z.ZodType | undefined): FieldIssue[] {
  if (issue.code !== 'unrecognized_keys' || body === undefined) {
    return [{ path: pointer(issue.path), message: wordsOf(issue).slice(0, 300) }];
  }
  const known = knownKeysAt(body, issue.path);
  return issue.keys.map((key) => {
    const nearest = nearestName(key, known);
    const meant = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    return {
      path: pointer([...issue.path, key]),
      message: `there is no such field.${meant} Known: ${known.join(', ')}`.slice(0, 300),
    };
  });
}

const STANDARD: readonly ProblemKind[] = ['bad-request', 'internal', 'unavailable'];
const GUARDED: readonly ProblemKind[] = ['unauthenticated', 'forbidden', 'too-many-requests'];
const WITH_BODY: readonly ProblemKind[] = ['too-large', 'unsupported-media-type', 'unprocessable'];

function problemResponses(kinds: readonly ProblemKind[]): RouteConfig['responses'] {
  const content = { 'application/problem+json': { schema: problemSchema } };
  return Object.fromEntries(
    kinds.map((kind) => [statusOf(kind), { description: titleOf(kind), content }]),
  );
}

/**
 * Completes a route: its policy from the table (none: it throws), its key check, its body limit, and the
 * problems it can answer with. The type of the route stays what it was.
 */
export function secured<R extends RouteConfig>(
  auth: Authenticator,
  route: R,
  options: { readonly bodyBytes?: number; readonly problems?: readonly ProblemKind[] } = {},
): R {
  const key = `${route.method.toUpperCase()} ${route.path}`;
  const entry = routeTable[key];
  if (!entry) throw new Error(`the route ${key} has no policy in api/route-table.ts`);
  const middleware: MiddlewareHandler[] = [authorize(auth, entry.policy)];
  const json = route.request?.body?.content['application/json'];
  const schema = json && 'schema' in json ? json.schema : undefined;
  if (json !== undefined) {
    middleware.push(jsonBody(options.bodyBytes ?? JSON_BODY_BYTES));
    middleware.push((c, next) => {
      if (schema instanceof z.ZodType) c.set('bodySchema', schema);
      return next();
    });
  }
  const isPublic = entry.policy === 'public';
  const kinds = new Set([
    ...STANDARD,
    ...(isPublic ? [] : GUARDED),
    ...(route.request?.body ? WITH_BODY : []),
    ...(route.path.includes('{') ? (['not-found'] as const) : []),
    ...(options.problems ?? []),
  ]);
  return {
    ...route,
    middleware,
    ...(isPublic ? {} : { security: [{ apiKey: [] }], 'x-scope': entry.policy }),
    responses: { ...problemResponses([...kinds]), ...route.responses },
  };
}
