import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const MODEL = 'hours';
/** Two years of hours of three markets: some fifteen parts, each a matter of seconds. */
const experiment = {
  name: MODEL,
  model: MODEL,
  data: {
    sources: [{ dataset: 'simulated-steady' }],
    instruments: ['SIM-A', 'SIM-B', 'SIM-C'],
    timeframe: '1h',
    asOf: '2024-06-01T00:00:00Z',
  },
  fit: 'pooled',
  features: 'technical-152',
  lookback: 1,
  label: { kind: 'forwardLogReturn', horizons: [1] },
  split: { kind: 'recent', trainBars: 720, validBars: 240, testBars: 240 },
  scaling: { features: 'standard', labels: 'standard' },
  family: 'ridge',
  baselines: ['naive'],
  seeds: [1],
  confidence: { method: 'none' },
};
const RANGE = { from: '2022-07-01', to: '2024-05-31' };
const PATH = `/api/v1/ml-models/${MODEL}/batch-predict`;
const BATCHES = '/api/v1/batch-predictions';

interface Batch {
  readonly id: string;
  readonly status: string;
  readonly message: string | null;
  readonly parts: number;
  readonly partsDone: number;
  readonly rows: number;
}

describe('workers are killed in the middle of a batch prediction', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct(['postgres', 'temporal', 's3', 'workers', 'api']);
    const { status, message } = await product.run(experiment);
    assert.equal(status, 'completed', message);
  });
  after(() => product.end());

  const batch = async (id: string): Promise<Batch> =>
    (await product.request('GET', `${BATCHES}/${id}`)).body as unknown as Batch;
  const handIn = async (body: object, accept: string): Promise<string> => {
    const headers = { accept, prefer: 'respond-async' };
    const answer = await product.request('POST', PATH, body, headers);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    return String(answer.body['id']);
  };
  const endOf = (id: string): Promise<Batch> =>
    product.until(
      'the end of the batch prediction',
      async () => {
        const found = await batch(id);
        return ['queued', 'running'].includes(found.status) ? undefined : found;
      },
      600_000,
    );
  /** Of an answer: to a GET, or to a POST of a body. */
  const linesOf = async (path: string, body?: object): Promise<string[]> => {
    const headers = {
      authorization: `Bearer ${product.key}`,
      ...(body && { 'content-type': 'application/json' }),
    };
    const sent = body ? { method: 'POST', body: JSON.stringify(body) } : {};
    const answer = await fetch(`${product.url}${path}`, { ...sent, headers });
    assert.equal(answer.status, 200);
    return (await answer.text()).trimEnd().split('\n');
  };
  const kill = async (): Promise<void> => {
    const workers = product.stack.status().parts.filter(({ name }) => name.startsWith('worker'));
    assert.ok(workers.length > 0);
    for (const { pid } of workers) process.kill(pid ?? assert.fail('it runs'), 'SIGKILL');
    await product.until('every part to be ready again', async () =>
      product.stack.status().ready ? true : undefined,
    );
  };

  /** How often each part was begun, from what Temporal has of the workflow. */
  async function attemptsOf(id: string): Promise<readonly number[]> {
    const { address, namespace } = product.stack.config.temporal;
    const connection = await Connection.connect({ address });
    try {
      const handle = new Client({ connection, namespace }).workflow.getHandle(
        `predict-batch/${id}`,
      );
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap((event) => {
        const started = event.activityTaskStartedEventAttributes;
        const scheduled = events!.find(
          ({ eventId }) => String(eventId) === String(started?.scheduledEventId),
        )?.activityTaskScheduledEventAttributes;
        return scheduled?.activityType?.name === 'answerPart' ? [started!.attempt ?? 0] : [];
      });
    } finally {
      await connection.close();
    }
  }

  it('and the bytes are those of the stream; no part that was there is computed again', async () => {
    const body = { range: RANGE, version: 1 };
    const id = await handIn(body, 'application/x-ndjson');
    let done = 0;
    for (const least of [2, 7]) {
      await product.until(`${least} parts`, async () =>
        (await batch(id)).partsDone >= least ? true : undefined,
      );
      const { status, partsDone, parts } = await batch(id);
      assert.deepEqual([status, partsDone < parts], ['running', true], 'killed in the middle');
      done = partsDone;
      await kill();
    }
    const { status, message, parts, rows } = await endOf(id);
    assert.equal(status, 'completed', message ?? '');
    const attempts = await attemptsOf(id);
    assert.equal(attempts.length, parts, 'each part was scheduled once');
    const again = attempts.filter((attempt) => attempt > 1).length;
    // Four were under way at each kill.
    assert.ok(again > 0 && again <= 8 && again <= parts - Math.min(done, 2), `${again} again`);
    const { body: events } = await product.request('GET', `${BATCHES}/${id}/events`);
    const kinds = (events['items'] as { kind: string }[]).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['plan', ...new Array<string>(parts).fill('part'), 'done']);
    const lines = await linesOf(`${BATCHES}/${id}/rows`);
    assert.equal(lines.length, rows + 1);
    // As the stream goes on behind its first row: with the clock of the same first request.
    const { cursor } = JSON.parse(lines[0]!) as { cursor: string };
    const streamed = await linesOf(PATH, { ...body, cursor });
    assert.equal(streamed.length, rows);
    assert.ok(lines.slice(1, -1).join('\n') === streamed.slice(0, -1).join('\n'), 'every row');
    const failed = lines.filter((line) => line.includes('"problem"')).length;
    assert.deepEqual(JSON.parse(lines.at(-1)!), { done: true, rows, failed });
    assert.ok(failed < rows / 10, `${failed} of ${rows} without an answer`);
  });

  it('and one that is cancelled ends, and frees its workers', async () => {
    const id = await handIn({ range: RANGE, version: 1 }, 'application/vnd.apache.arrow.stream');
    await product.until('a part', async () => ((await batch(id)).partsDone > 0 ? true : undefined));
    const { status } = await product.request('POST', `${BATCHES}/${id}/cancel`);
    assert.equal(status, 202);
    const ended = await endOf(id);
    assert.equal(ended.status, 'cancelled');
    assert.ok(ended.partsDone < ended.parts);
    const rows = await product.request('GET', `${BATCHES}/${id}/rows`);
    assert.equal(rows.status, 409);
  });
});
