import assert from 'node:assert/strict';
import { after, before, mock, test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import { rangeRowSchema } from '../../api/range/schemas.ts';
import { GraphPool } from '../../api/serving/graph-pool.ts';
import { ARROW, NDJSON } from '../../api/range/stream.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { ARROW_COLUMNS, type RangeRow } from '../../core/ranges/index.ts';
import { appendBars } from '../../registry/bars.ts';
import { seriesSource, startCollection } from '../../registry/collections.ts';
import {
  ADMIN,
  addPackagedVersion,
  DATASETS,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { walkBars } from '../support/made-bars.ts';
import type { PackageOptions } from '../support/model-package.ts';
import { MODEL } from '../support/registry-facts.ts';

let fixture: ApiFixture;
let api: TestReplica;
before(async () => {
  fixture = await openApiFixture(2);
  api = await fixture.open('ranges');
  await fixture.promote(1);
  const predict = () => api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {});
  await eventually('the champion answers', async () => (await predict()).status === 200);
});
after(() => fixture.close());

const PATH = `/api/v1/ml-models/${MODEL}/batch-predict`;
const RANGE = { from: '2019-06-03', to: '2019-12-31' };

function send(body: object, accept = NDJSON, key = ADMIN): Promise<Response> {
  return Promise.resolve(
    api.app.request(`http://localhost${PATH}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept },
      body: JSON.stringify(body),
    }),
  );
}

interface End {
  readonly done: boolean;
  readonly rows: number;
  readonly failed: number;
}

async function rowsOf(body: object): Promise<{ rows: RangeRow[]; end: End; answer: Response }> {
  const answer = await send(body);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.equal(answer.headers.get('content-type'), NDJSON);
  const lines = text.trimEnd().split('\n');
  const end = JSON.parse(lines.pop()!) as End;
  return { rows: lines.map((line) => JSON.parse(line) as RangeRow), end, answer };
}

async function predictAsOf(at: string, version?: number): Promise<Record<string, unknown>> {
  const asked = { asOf: at, confidence: 'none', record: false, ...(version && { version }) };
  const { status, body } = await api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, asked);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** A row says what `predict` says as of its instant, field by field. */
async function assertLikePredict(row: RangeRow): Promise<void> {
  const alone = await predictAsOf(row.at, row.version!);
  for (const [field, value] of Object.entries(row.prediction!)) {
    assert.deepEqual(value, alone[field], `${field} at ${row.at}`);
  }
}

test('each session of a range is answered as predict answers as of it', async () => {
  const { rows, end, answer } = await rowsOf({ range: RANGE });
  const sessions = calendarFor('nyse').between(Date.parse(RANGE.from), Date.parse(RANGE.to), '1d');
  assert.equal(rows.length, sessions.length);
  assert.deepEqual(end, { done: true, rows: sessions.length, failed: 0 });
  assert.equal(answer.headers.get('x-ratchet-rows'), String(sessions.length));
  assert.equal(answer.headers.get('x-ratchet-version'), '1');
  // Nothing in a row that the documentation does not have.
  for (const row of rows) assert.deepEqual(rangeRowSchema.parse(row), row);
  for (const row of rows.filter((_, i) => i % 16 === 0)) await assertLikePredict(row);
  const pinned = await rowsOf({ range: RANGE, version: 2 });
  await assertLikePredict(pinned.rows[3]!);
  assert.notDeepEqual(pinned.rows[3]!.prediction, rows[3]!.prediction);
  const { body } = await api.call('GET', `/api/v1/ml-models/${MODEL}/predictions`);
  const recorded = Object.values(body).flat().length;
  assert.ok(recorded < 5, `nothing of it is recorded, but ${recorded}`);
});

test('a long range has the same answers from the thread of the graphs', async () => {
  const range = { from: '2017-10-02', to: RANGE.to };
  let [begun, released] = [0, 0];
  const open = GraphPool.prototype.openWindows;
  const spy = mock.method(GraphPool.prototype, 'openWindows', function (this: GraphPool, ...of) {
    const { run, release } = open.apply(this, of);
    const counting: ReturnType<GraphPool['openWindows']> = {
      run(windows) {
        const running = run(windows);
        if (running) begun++;
        return running;
      },
      release() {
        released++;
        release();
      },
    };
    return counting;
  } satisfies GraphPool['openWindows']);
  try {
    // The first one may be over before the graph is open there.
    await eventually('the thread runs the graph', async () => {
      const before = begun;
      const { rows, end } = await rowsOf({ range });
      assert.ok(rows.length > 500 && end.failed === 0, JSON.stringify(end));
      for (const row of rows.filter((_, i) => i % 100 === 50)) await assertLikePredict(row);
      return begun - before > 3;
    });
    assert.equal(released, spy.mock.callCount());
    assert.equal((await rowsOf({ range: RANGE })).end.failed, 0);
    assert.equal(released, spy.mock.callCount(), 'a short one is not worth it');
  } finally {
    spy.mock.restore();
  }
});

test('a stream that was cut goes on behind its last row, without gap or repeat', async () => {
  const { rows: whole } = await rowsOf({ range: RANGE });
  for (const cut of [0, 41, whole.length - 2, whole.length - 1]) {
    const { cursor } = whole[cut]!;
    // A promotion in between changes nothing: the cursor names the version.
    const { rows, answer } = await rowsOf({ range: RANGE, cursor });
    assert.deepEqual(rows, whole.slice(cut + 1));
    assert.equal(answer.headers.get('x-ratchet-rows'), String(whole.length - cut - 1));
  }
  const other = await rowsOf({ range: RANGE, version: 2 });
  const rest = await rowsOf({ range: RANGE, cursor: other.rows[10]!.cursor });
  assert.deepEqual(rest.rows, other.rows.slice(11));
});

test('a range without an end goes on to the end that it had, whatever the clock says by then', async () => {
  const open = { range: { from: RANGE.from } };
  const { rows: whole } = await rowsOf(open);
  const { now } = fixture.clock;
  fixture.clock.now = now + 20 * 86_400_000;
  try {
    const { rows, answer } = await rowsOf({ ...open, cursor: whole[70]!.cursor });
    assert.deepEqual(rows, whole.slice(71));
    assert.equal(answer.headers.get('x-ratchet-rows'), String(whole.length - 71));
    assert.ok((await rowsOf(open)).rows.length > whole.length);
  } finally {
    fixture.clock.now = now;
  }
  const [, , , knownBy] = whole[70]!.cursor.split('.');
  const future = whole[70]!.cursor.replace(knownBy!, String(now + 86_400_000));
  assert.match(await (await send({ ...open, cursor: future })).text(), /yet to be asked/);
});

test('a cursor goes on with the question that it is of, and no other', async () => {
  const { rows } = await rowsOf({ range: RANGE, version: 2 });
  const { cursor } = rows[10]!;
  const others: readonly (readonly [object, RegExp])[] = [
    [{ range: RANGE, version: 1 }, /\(version\)/],
    [{ range: RANGE, version: 'then' }, /\(version\)/],
    [{ range: { ...RANGE, from: '2019-06-04' } }, /range or instruments/],
    [{ range: { from: RANGE.from } }, /range or instruments/],
    [{ range: { ...RANGE, to: '2019-12-30' } }, /range or instruments/],
    [{ range: RANGE, instruments: [INSTRUMENT, INSTRUMENT] }, /range or instruments/],
  ];
  for (const [body, words] of others) {
    const answer = await send({ ...body, cursor });
    const problem = (await answer.json()) as { status: number; code: string; detail: string };
    assert.deepEqual([answer.status, problem.code], [422, 'cursor.other-question']);
    assert.match(problem.detail, words);
  }
  // The same question in other words.
  const same = { from: '2019-06-03T00:00:00Z', to: RANGE.to };
  const rest = await rowsOf({ range: same, version: 2, instruments: [INSTRUMENT], cursor });
  assert.deepEqual(rest.rows, rows.slice(11));
});

test('a range from before 1970 can be gone on with', async () => {
  const range = { from: '1968-12-30', to: '1970-01-30' };
  const { rows, end } = await rowsOf({ range });
  assert.equal(end.failed, rows.length);
  const { rows: rest } = await rowsOf({ range, cursor: rows[100]!.cursor });
  assert.deepEqual(rest, rows.slice(101));
});

test('ranges that nobody reads take no place of batches, and of one key only some', async () => {
  const keyOf = async (name: string): Promise<string> => {
    const { body } = await api.call('POST', '/api/v1/keys', { name, scopes: ['predict'] });
    return String(body['token']);
  };
  const [own, other] = [await keyOf('unread'), await keyOf('other')];
  const unread: Response[] = [];
  const statusOf = async (key: string): Promise<number> => {
    const answer = await send({ range: RANGE }, NDJSON, key);
    unread.push(answer);
    return answer.status;
  };
  const range = (n: number, status: number): number[] => new Array<number>(n).fill(status);
  const asked: number[] = [];
  for (let i = 0; i < 6; i++) asked.push(await statusOf(own));
  assert.deepEqual(asked, [...range(4, 200), ...range(2, 429)]);
  const others: number[] = [];
  for (let i = 0; i < 4; i++) others.push(await statusOf(other));
  assert.deepEqual(others, range(4, 200));
  const { status, headers } = await send({ range: RANGE });
  assert.deepEqual([status, headers.get('retry-after')], [503, '5']);
  const { status: batch } = await api.call('POST', PATH, { items: [{}], record: false });
  assert.equal(batch, 200);
  for (const { body } of unread) await body!.cancel();
  assert.equal((await rowsOf({ range: RANGE })).end.done, true);
});

test('the reader sets the pace, and one that goes away ends the work', async () => {
  const answer = await send({ range: RANGE });
  const reader = answer.body!.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  assert.equal(first.trimEnd().split('\n').length, 64, 'a chunk at a time');
  await reader.cancel();
  // Its place is free again.
  for (let i = 0; i < 12; i++) await (await send({ range: RANGE })).body!.cancel();
  assert.equal((await rowsOf({ range: RANGE })).end.done, true);
});

test('Arrow: the same rows as columns, also of none', async () => {
  const { rows } = await rowsOf({ range: RANGE });
  const answer = await send({ range: RANGE }, ARROW);
  assert.equal(answer.headers.get('content-type'), ARROW);
  const table = tableFromIPC(new Uint8Array(await answer.arrayBuffer()));
  assert.equal(table.numRows, rows.length);
  assert.ok(table.batches.length > 1, 'a batch a chunk');
  for (const at of [0, 63, 64, rows.length - 1]) {
    const found = table.get(at)!.toJSON() as Record<string, unknown>;
    const { prediction, ...row } = rows[at]!;
    const [h7] = prediction!.horizons;
    assert.equal(found['cursor'], row.cursor);
    assert.equal(Number(found['at']), Date.parse(row.at));
    assert.equal(Number(found['asOf']), Date.parse(prediction!.asOf));
    assert.deepEqual(
      [found['version'], found['lastClose'], found['h7_change'], found['h7_direction']],
      [1, prediction!.lastClose, h7!.change, h7!.direction],
    );
    assert.deepEqual([found['problem'], found['fallback']], [null, null]);
  }
  const cursor = rows.at(-1)!.cursor;
  const none = tableFromIPC(
    new Uint8Array(await (await send({ range: RANGE, cursor }, ARROW)).arrayBuffer()),
  );
  assert.equal(none.numRows, 0);
  const names = none.schema.fields.map(({ name }) => name);
  assert.deepEqual(names.slice(0, ARROW_COLUMNS.length), ARROW_COLUMNS);
  assert.ok(names.includes('h30_price'));
});

test('then: whoever served at each time, and nobody before there was a champion', async () => {
  const { db } = fixture;
  const first = new Date('2019-08-01T00:00:00Z');
  const second = new Date('2019-10-01T00:00:00Z');
  // The story as it would have been, had the promotions come then.
  await fixture.promote(2);
  await db
    .updateTable('champion')
    .set({ valid_from: first, valid_to: second })
    .where('version', '=', 1)
    .execute();
  await db.updateTable('champion').set({ valid_from: second }).where('version', '=', 2).execute();
  const { rows, end, answer } = await rowsOf({ range: RANGE, version: 'then' });
  assert.equal(answer.headers.get('x-ratchet-version'), 'then');
  const expected = (at: string): number | null => {
    const time = Date.parse(at);
    return time < first.getTime() ? null : time < second.getTime() ? 1 : 2;
  };
  assert.deepEqual(
    rows.map(({ version }) => version),
    rows.map(({ at }) => expected(at)),
  );
  const before = rows.filter(({ version }) => version === null);
  assert.ok(before.length > 30 && before.every(({ problem }) => problem!.code === 'champion.none'));
  assert.equal(end.failed, before.length);
  for (const i of [60, 100, rows.length - 1]) await assertLikePredict(rows[i]!);
  const { rows: rest } = await rowsOf({ range: RANGE, cursor: rows[50]!.cursor });
  assert.deepEqual(rest, rows.slice(51));
});

test('a bar that was revised later is seen as it was then', async () => {
  const { rows: before } = await rowsOf({ range: RANGE, version: 1 });
  const bars = walkBars(800, { instrument: INSTRUMENT, from: '2016-11-01' });
  const row = bars.openTime.findIndex((time) => time >= Date.parse('2019-09-16'));
  const sent = { ...bars, openTime: bars.openTime.slice(row, row + 1) };
  const one = Object.fromEntries(
    (['open', 'high', 'low', 'close', 'volume', 'value'] as const).map((name) => [
      name,
      bars[name].slice(row, row + 1).map((x) => x * 1.05),
    ]),
  );
  const source = seriesSource(DATASETS.get('sp500-daily')!);
  const arrivedAt = Date.parse('2019-10-15T15:00:00Z');
  const key = { dataset: 'sp500-daily', source, instrument: INSTRUMENT, timeframe: '1d' as const };
  const collectionId = await startCollection(fixture.db, key, 'primary', arrivedAt);
  const arrival = { collectionId, arrivedAt, calendar: calendarFor('nyse'), declaredDelayMs: 0 };
  await appendBars(fixture.db, source, { ...sent, ...one }, arrival);
  const { rows } = await rowsOf({ range: RANGE, version: 1 });
  const changed = rows.findIndex((r, i) => JSON.stringify(r) !== JSON.stringify(before[i]));
  assert.equal(rows[changed]!.at.slice(0, 10), '2019-10-15');
  for (const at of [changed - 1, changed, changed + 20]) await assertLikePredict(rows[at]!);
});

test('what a range may be', async () => {
  const wrong: readonly (readonly [object, number, RegExp])[] = [
    [{ range: { from: '2019-12-31', to: '2019-01-01' } }, 422, /not before/],
    [{ range: RANGE, items: [{}] }, 422, /or a range/],
    [{ range: RANGE, asOf: ['2019-01-02'], instruments: [INSTRUMENT] }, 422, /times itself/],
    [{ range: RANGE, confidence: 'mc' }, 422, /no confidence/],
    [{ range: RANGE, record: true }, 422, /nothing is recorded of a range/],
    [{ items: [{}], version: 'then' }, 422, /go with a range/],
    [{ range: RANGE, cursor: 'x' }, 422, /cursor/],
    [{ range: RANGE, version: 9 }, 404, /no version 9/],
    [{ range: RANGE, instruments: ['^DJI'] }, 422, /not for/],
    [{ range: { from: '2031-01-01' } }, 422, /no 1d bar/],
  ];
  for (const [body, status, words] of wrong) {
    const answer = await send(body);
    const text = await answer.text();
    assert.equal(answer.status, status, text);
    assert.match(text, words);
  }
});

test('hours of twenty centuries are refused before they are counted out', async () => {
  const hourly: PackageOptions['change'] = (content) => ({
    ...content,
    preprocessing: { ...content.preprocessing, calendar: '24x7', timeframe: '1h' },
  });
  const version = await addPackagedVersion(fixture.db, fixture.artifacts, 3, hourly);
  const answer = await send({ range: { from: '0001-01-01' }, version });
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  assert.deepEqual([answer.status, code], [422, 'range.too-large']);
  assert.match(detail, /200000 sessions of 1h at most; 24x7 has 1769\d{4} here/);
  const lines = await rowsOf({ range: { from: '2019-12-30', to: '2019-12-31' }, version });
  assert.equal(lines.rows.length, 25);
});

test('the documentation has the rows, the last line, the columns and the headers', async () => {
  const { body } = await api.call('GET', '/openapi.json');
  const document = body as unknown as OpenApi;
  const { RangeRow, RangeEnd } = document.components.schemas;
  const [{ rows }] = [await rowsOf({ range: RANGE })];
  assert.deepEqual(
    Object.keys(rows[0]!).filter((name) => !(name in RangeRow!.properties!)),
    [],
  );
  assert.equal(RangeEnd!.oneOf!.length, 2);
  const ok = document.paths['/api/v1/ml-models/{name}/batch-predict']!.post.responses['200']!;
  assert.deepEqual(Object.keys(ok.headers), ['x-ratchet-version', 'x-ratchet-rows']);
  const { description } = ok.content[ARROW]!.schema;
  for (const name of [...ARROW_COLUMNS, 'h7_change']) assert.ok(description.includes(name), name);
});

interface OpenApi {
  readonly components: {
    readonly schemas: Readonly<
      Record<string, { readonly properties?: object; readonly oneOf?: readonly unknown[] }>
    >;
  };
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly post: {
          readonly responses: Readonly<
            Record<
              string,
              {
                readonly headers: object;
                readonly content: Readonly<
                  Record<string, { readonly schema: { readonly description: string } }>
                >;
              }
            >
          >;
        };
      }
    >
  >;
}
