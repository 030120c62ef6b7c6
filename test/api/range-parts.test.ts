import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../../api/errors.ts';
import { parseCursor } from '../../api/range/cursor.ts';
import { checkSize, MAX_INSTRUMENTS, MAX_ROWS, MAX_SESSIONS } from '../../api/range/limits.ts';
import { paced } from '../../api/range/paced.ts';
import { rangePlaces } from '../../api/range/places.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { publicationCount, publicationsOf } from '../../core/predict/index.ts';
import { cursorOf, questionDigest } from '../../core/ranges/index.ts';

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return `${error.kind} ${error.code}`;
  }
};

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-29');

test('sessions are counted as the calendar lists them, in any year', () => {
  for (const [name, timeframe] of [
    ['nyse', '1d'],
    ['24x7', '1d'],
    ['24x7', '1h'],
  ] as const) {
    const calendar = calendarFor(name);
    for (const from of ['1800-01-01', '1929-10-24T13:30:00Z', '1969-12-31', '2019-06-01T00:00Z']) {
      for (const days of [0, 1, 2.5, 6, 400.1]) {
        const range = { from: Date.parse(from), to: Date.parse(from) + days * DAY, now: NOW };
        const { session } = publicationsOf(calendar, timeframe, range, 0);
        const count = publicationCount(calendar, timeframe, range);
        assert.equal(count, session.length, `${name} ${timeframe} ${from} ${days}`);
      }
    }
    const reversed = { from: NOW, to: NOW - 9 * DAY, now: NOW };
    assert.equal(publicationCount(calendar, timeframe, reversed), 0);
  }
});

test('a range that is too large is refused before anything is as long as it', () => {
  const hours = {
    ...calendarFor('24x7'),
    between: () => assert.fail('the sessions were listed'),
  };
  const check = (from: string, instruments = 1) =>
    codeOf(() =>
      checkSize(hours, '1h', { from: Date.parse(from), to: Infinity, now: NOW }, instruments),
    );
  const tooLarge = 'unprocessable range.too-large';
  assert.equal(check('0001-01-01'), tooLarge);
  const first = new Date(NOW - (MAX_SESSIONS - 1) * 3_600_000).toISOString();
  assert.equal(check(first), 'fine');
  assert.equal(check(new Date(Date.parse(first) - 1).toISOString()), 'fine');
  assert.equal(check(new Date(Date.parse(first) - 3_600_000).toISOString()), tooLarge);
  assert.equal(check(first, MAX_ROWS / MAX_SESSIONS), 'fine');
  assert.equal(check(first, MAX_ROWS / MAX_SESSIONS + 1), tooLarge);
  assert.equal(check('2026-11-28', MAX_INSTRUMENTS), 'fine');
  assert.equal(check('2026-11-28', MAX_INSTRUMENTS + 1), tooLarge);
});

test('a cursor comes back as it went, also of a session before 1970', () => {
  const question = questionDigest(['index-gspc', ['^GSPC'], 0, null]);
  const at = Date.parse('1929-10-24T21:15:00Z');
  const place = { version: 'then' as const, instrument: 3, at, knownBy: NOW, question };
  assert.deepEqual(parseCursor(cursorOf(place)), place);
  assert.ok(
    cursorOf({ ...place, version: 2 ** 31 - 1, instrument: 9_999 }).length <= 80,
    'as long as a request may have it',
  );
  for (const wrong of ['', 'then', '1.0.5', `0.0.5.6.${question}`, `1.0.5.6.${question}x`]) {
    assert.equal(
      codeOf(() => parseCursor(wrong)),
      'unprocessable cursor.invalid',
    );
  }
  assert.notEqual(questionDigest(['index-gspc', ['^DJI'], 0, null]), question);
});

test('places: so many in all, fewer of a key, each free again once', () => {
  const places = rangePlaces({ all: 3, ofKey: 2 });
  const [first, second] = [places.take('a'), places.take('a')];
  assert.equal(
    codeOf(() => places.take('a')),
    'too-many-requests range.too-many',
  );
  const other = places.take('b');
  assert.equal(
    codeOf(() => places.take('b')),
    'unavailable predict.overloaded',
  );
  first();
  first();
  const again = places.take('a');
  assert.equal(
    codeOf(() => places.take('a')),
    'too-many-requests range.too-many',
  );
  for (const free of [second, other, again]) free();
  places.take('b');
  places.take('b');
  assert.equal(
    codeOf(() => places.take('c')),
    'fine',
  );
});

/** Chunks that say what became of them. */
function watched(count: number) {
  const seen = { made: 0, closed: false, ended: 0 };
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let i = 0; i < count; i++) {
        await pause(1);
        seen.made++;
        yield Uint8Array.of(i);
      }
    } finally {
      seen.closed = true;
    }
  }
  const onEnd = (): void => void seen.ended++;
  return { seen, chunks: chunks(), onEnd };
}

const soon = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await pause(5);
};

test(
  'a reader that takes nothing is cut off, one that only is slow is not',
  { timeout: 20_000 },
  async () => {
    const stopping = new AbortController().signal;
    const slow = watched(8);
    const taken: number[] = [];
    const reader = paced(slow.chunks, { stopping, stallMs: 1_000, onEnd: slow.onEnd }).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      taken.push(...value);
      await pause(200);
    }
    assert.deepEqual(taken, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(slow.seen, { made: 8, closed: true, ended: 1 });
    const { seen, chunks, onEnd } = watched(1_000);
    const left = paced(chunks, { stopping, stallMs: 30, onEnd }).getReader();
    await left.read();
    await soon(() => seen.ended > 0);
    assert.ok(seen.closed && seen.made < 4, 'nothing is computed ahead');
    await assert.rejects(left.read(), /nothing was taken for 0\.03 s/);
    assert.equal(seen.ended, 1);
  },
);

test(
  'a process that stops ends a stream that nobody reads just now',
  { timeout: 20_000 },
  async () => {
    const stop = new AbortController();
    const { seen, chunks, onEnd } = watched(1_000);
    const pace = { stopping: stop.signal, stallMs: 600_000, onEnd };
    const reader = paced(chunks, pace).getReader();
    await reader.read();
    stop.abort();
    await soon(() => seen.ended > 0);
    await assert.rejects(reader.read(), /stopping/);
    assert.deepEqual([seen.closed, seen.ended], [true, 1]);
    const late = watched(5);
    const none = paced(late.chunks, { ...pace, onEnd: late.onEnd }).getReader();
    await assert.rejects(none.read(), /stopping/);
    assert.deepEqual([late.seen.made, late.seen.ended], [0, 1]);
  },
);

test(
  'a reader that goes away ends it, and so does a failure, once',
  { timeout: 20_000 },
  async () => {
    const stopping = new AbortController().signal;
    const { seen, chunks, onEnd } = watched(1_000);
    const stream = paced(chunks, { stopping, stallMs: 600_000, onEnd });
    const gone = stream.getReader();
    await gone.read();
    await gone.cancel();
    assert.deepEqual([seen.closed, seen.ended], [true, 1]);
    let ended = 0;
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Uint8Array.of(1);
      await pause(1);
      throw new Error('the disk is gone');
    }
    const bad = paced(broken(), { stopping, stallMs: 600_000, onEnd: () => ended++ }).getReader();
    await bad.read();
    await assert.rejects(bad.read(), /disk is gone/);
    assert.equal(ended, 1);
  },
);
