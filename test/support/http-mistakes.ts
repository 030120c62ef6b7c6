/** Mistakes of a program that calls the API: what is sent, and the problem that comes back. */
import { makeKey, MODEL, quickSpec, revokedKey, type MistakeWorld } from './mistake.ts';
import type { Answer } from './product.ts';

export interface HttpMistake {
  readonly what: string;
  readonly ask: (world: MistakeWorld) => Promise<Answer>;
  readonly status: number;
  /** Of the problem. */
  readonly code: string;
  /** All of these stand in the body. */
  readonly says: readonly RegExp[];
}

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;
const BATCH = `/api/v1/ml-models/${MODEL}/batch-predict`;
const FEATURES = 152;

const predicting =
  (body: unknown, headers?: Readonly<Record<string, string>>): HttpMistake['ask'] =>
  ({ product }) =>
    product.request('POST', PREDICT, body, headers);

const bar = (day: number) => ({
  openTime: new Date(Date.UTC(2018, 11, day)).toISOString(),
  open: 100,
  high: 101,
  low: 99,
  close: 100,
  volume: 1,
});
const windowOf = (rows: number, columns: number, value: number | null = 0) => ({
  instrument: '^GSPC',
  window: Array.from({ length: rows }, () => Array.from({ length: columns }, () => value)),
  lastClose: 2500,
  openTime: '2018-12-31',
});

/** The same Idempotency-Key with two bodies. */
async function twice({ product }: MistakeWorld): Promise<Answer> {
  const key = { 'idempotency-key': 'the-same-key' };
  const path = `/api/v1/ml-models/${MODEL}/train`;
  await product.request('POST', path, { seeds: [1] }, key);
  return product.request('POST', path, { seeds: [2] }, key);
}

export const httpMistakes: readonly HttpMistake[] = [
  {
    what: 'too few bars',
    ask: predicting({ instrument: '^GSPC', bars: [bar(3), bar(4)] }),
    status: 422,
    code: 'predict.too-few-bars',
    says: [/\d+ complete bars are needed, \d+ more than the 2/],
  },
  {
    what: 'bars out of order',
    ask: predicting({ instrument: '^GSPC', bars: [bar(4), bar(3)] }),
    status: 422,
    code: 'predict.bars',
    says: [/Bar 1: openTime must increase/],
  },
  {
    what: 'a window of the wrong shape',
    ask: predicting(windowOf(3, 4)),
    status: 422,
    code: 'predict.bad-window',
    says: [/20 rows of 152 features, 3040 numbers; this one has 12/],
  },
  {
    what: 'a window of the right size with uneven rows',
    ask: predicting({
      ...windowOf(20, FEATURES),
      window: Array.from({ length: 20 }, (_, i) =>
        Array.from({ length: FEATURES + (i === 0 ? 1 : i === 1 ? -1 : 0) }, () => 0),
      ),
    }),
    status: 422,
    code: 'predict.bad-window',
    says: [/row 0 has 153 numbers, row 1 has 151/],
  },
  {
    what: 'NaN (null in JSON) in a window',
    ask: predicting(windowOf(20, FEATURES, null)),
    status: 422,
    code: 'predict.bad-window',
    says: [/in row 0 of the window is NaN, not a finite number/],
  },
  {
    what: 'bars and a window',
    ask: predicting({ ...windowOf(1, 1), bars: [bar(3)] }),
    status: 422,
    code: 'body.invalid',
    says: [/bars or a window, not both/],
  },
  {
    what: 'a typo in a body',
    ask: predicting({ instrumnet: '^GSPC' }),
    status: 422,
    code: 'body.invalid',
    says: [/instrumnet: there is no such field\. Did you mean .{1,2}instrument/],
  },
  {
    what: 'a body that is no JSON',
    ask: async ({ product }) => raw(product.url, product.key, '{"instrument":'),
    status: 400,
    code: 'request.invalid',
    says: [/JSON/],
  },
  {
    what: 'a media type that is not taken',
    ask: predicting({}, { 'content-type': 'text/csv' }),
    status: 415,
    code: 'body.media-type',
    says: [/application\/json/],
  },
  {
    what: 'a body that is too large',
    ask: predicting({ instrument: 'x'.repeat(5 * 1024 * 1024) }),
    status: 413,
    code: 'body.too-large',
    says: [/4194304 bytes/],
  },
  {
    what: 'a batch of items and of instruments',
    ask: ({ product }) => product.request('POST', BATCH, { items: [{}], instruments: ['^GSPC'] }),
    status: 422,
    code: 'body.invalid',
    says: [/either items or instruments/],
  },
  {
    what: 'a batch of too many',
    ask: ({ product }) =>
      product.request('POST', BATCH, { items: Array.from({ length: 1001 }, () => ({})) }),
    status: 422,
    code: 'body.invalid',
    says: [/items/, /1000/],
  },
  {
    what: 'training days out of range',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/train`, { trainingDays: 5001 }),
    status: 422,
    code: 'body.invalid',
    says: [/trainingDays/, /5000/],
  },
  {
    what: 'a threshold where nothing has classes',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/train`, { threshold: 0.02 }),
    status: 422,
    code: 'train.no-threshold',
    says: [/forwardLogReturn, a quantity: only labels with classes/],
  },
  {
    what: 'a result that is not there',
    ask: ({ product }) => product.request('GET', '/api/v1/results/01JCRATCHET0000000000000AB'),
    status: 404,
    code: 'result.not-found',
    says: [/the key that asked/],
  },
  {
    what: 'an Idempotency-Key with another body',
    ask: twice,
    status: 422,
    code: 'idempotency.mismatch',
    says: [/another body\. Use a new key/],
  },
  {
    what: 'a version that is no number',
    ask: ({ product }) => product.request('GET', `/api/v1/ml-models/${MODEL}/versions/latest`),
    status: 400,
    code: 'param.invalid',
    says: [/version is a number/],
  },
  {
    what: 'promotion from a generation that passed',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/promote`, {
        version: 1,
        expectedGeneration: 0,
      }),
    status: 409,
    code: 'promotion.conflict',
    says: [/generation 1, not 0/],
  },
  {
    what: 'a rollback from a generation that passed',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/rollback`, {
        version: 1,
        reason: 'x',
        expectedGeneration: 0,
      }),
    status: 409,
    code: 'promotion.conflict',
    says: [/generation 1, not 0/],
  },
  {
    what: 'a judgement without a reason',
    ask: ({ product }) => product.request('POST', `/api/v1/ml-models/${MODEL}/reject`, {}),
    status: 422,
    code: 'body.invalid',
    says: [/reason/],
  },
  {
    what: 'a judgement where nothing is on trial',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/reject`, { reason: 'x' }),
    status: 409,
    code: 'trial.none',
    says: [/no running trial/],
  },
  {
    what: 'settling as of the future',
    ask: ({ product }) =>
      product.request('POST', `/api/v1/ml-models/${MODEL}/settle`, { asOf: '2999-01-01' }),
    status: 422,
    code: 'slot.future',
    says: [/future/],
  },
  {
    what: 'a cursor that is none',
    ask: ({ product }) =>
      product.request('GET', `/api/v1/ml-models/${MODEL}/history?before=yesterday`),
    status: 400,
    code: 'query.invalid',
    says: [/before/, /number/],
  },
  {
    what: 'a spec for a model beyond the key',
    ask: async (world) =>
      world.product.request('POST', '/api/v1/experiments', quickSpec, {
        authorization: `Bearer ${await makeKey(world, { scopes: ['experiment'], models: ['fresh'] })}`,
      }),
    // The same answer as for a model that is not there: the key learns nothing.
    status: 404,
    code: 'model.not-found',
    says: [/no model/],
  },
  {
    what: 'a revoked key',
    ask: async (world) =>
      world.product.request('GET', '/api/v1/ml-models', undefined, {
        authorization: `Bearer ${await revokedKey(world)}`,
      }),
    status: 401,
    code: 'key.invalid',
    says: [/revoked/],
  },
  {
    what: 'a path that is not there',
    ask: ({ product }) => product.request('GET', '/api/v1/model'),
    status: 404,
    code: 'route.not-found',
    says: [/\/docs/],
  },
  {
    what: 'a method that is not there',
    ask: ({ product }) => product.request('PATCH', `/api/v1/ml-models/${MODEL}`),
    status: 405,
    code: 'route.method',
    says: [/GET, PUT, DELETE/],
  },
];

async function raw(url: string, key: string, body: string): Promise<Answer> {
  const response = await fetch(`${url}${PREDICT}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body,
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}
