/** Requests that no route should take, from a seed: paths, headers and bodies. */
import { malformedBody } from './malformed-bodies.ts';

export interface Route {
  readonly method: string;
  /** With its parameters: `/api/v1/ml-models/{name}`. */
  readonly path: string;
  /** Fields of its JSON body; none: it takes another body, or none. */
  readonly fields: readonly string[];
}

export interface MalformedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, JsonSchema>> };
}
interface JsonSchema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}
interface Operation {
  readonly requestBody?: {
    readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>>;
  };
}

/** Every route of an OpenAPI document that changes something. */
export function writingRoutes(document: unknown): readonly Route[] {
  const { paths, components } = document as OpenApi;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => ['post', 'put', 'delete', 'patch'].includes(method))
      .map(([method, { requestBody }]) => {
        const given = requestBody?.content?.['application/json']?.schema;
        const name = given?.$ref?.split('/').at(-1) ?? '';
        const schema = components?.schemas?.[name] ?? given;
        return {
          method: method.toUpperCase(),
          path,
          fields: Object.keys(schema?.properties ?? {}),
        };
      }),
  );
}

const SEGMENTS = [
  '%00',
  '%zz',
  '%',
  '..%2f..%2fetc',
  '%ed%a0%80',
  'x'.repeat(300),
  "'--",
  '%22',
  '0',
  '-1',
  '1e9',
  '99999999999999999999',
  'NaN',
  '%F0%9F%92%A9',
  'constructor',
  '__proto__',
  '{name}',
  'fuzz',
  '1',
  '01J00000000000000000000001',
  'abcdefghij',
];
/** Path parameters that a route understands; models are called `fuzz`. */
const SOUND: Readonly<Record<string, string>> = {
  id: '01J00000000000000000000001',
  version: '1',
  metric: 'h1.rmse',
};
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  '',
  'x',
  '\u0000',
  '\ud800',
  'x'.repeat(5_000),
  [],
  [[]],
  [null],
  {},
  { a: { b: {} } },
  '^GSPC',
  ['^GSPC'],
  '2020-13-45',
  '9999-12-31T23:59:59Z',
  'constructor',
  { kind: 'none' },
  2_147_483_648,
  Array.from({ length: 2_000 }, () => 0),
];
const HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'text/plain'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'application/json;;;='],
  ['content-type', ''],
  ['content-encoding', 'gzip'],
  ['authorization', 'Bearer '],
  ['authorization', `Bearer ${'x'.repeat(4_000)}`],
  ['authorization', 'Basic eDp4'],
  ['idempotency-key', ''],
  ['idempotency-key', 'x'.repeat(4_000)],
  ['idempotency-key', '\u00ff\u00fe\u00fd\u00fc\u00fb\u00fa\u00f9\u00f8'],
  ['x-request-id', '../../../<script>'],
  ['accept', '\u00ff'],
  ['range', 'bytes=-1'],
  ['host', 'evil.example'],
  ['origin', 'null'],
];

/** The nth malformed request; equal seeds give equal requests. */
export function malformedRequest(
  random: () => number,
  n: number,
  routes: readonly Route[],
): MalformedRequest {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const route = routes[n % routes.length]!;
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
    random() < 0.3 ? pick(SEGMENTS) : (SOUND[name] ?? 'fuzz'),
  );
  const query = random() < 0.2 ? `?${pick(['force=maybe', 'limit=-1', '%00=%zz', 'a=1&a=2'])}` : '';
  const bodies: readonly (() => string | Buffer)[] = [
    () => malformedBody(random, n),
    () =>
      JSON.stringify(
        Object.fromEntries(route.fields.filter(() => random() < 0.7).map((f) => [f, pick(VALUES)])),
      ),
    () => Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256))),
    () => '',
  ];
  const [name, value] = random() < 0.3 ? pick(HEADERS) : ['content-type', 'application/json'];
  return {
    method: route.method,
    path: `${path}${query}`,
    headers: { 'content-type': 'application/json', [name]: value },
    body: Buffer.from(pick(bodies)()),
  };
}
