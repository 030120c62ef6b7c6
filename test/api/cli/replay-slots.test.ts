import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaySlots } from '../../../api/cli/replay/slots.ts';
import { calendarFor } from '../../../core/calendar/index.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

test('a day round the clock has 24 hourly bars, and ends at midnight', () => {
  const from = Date.parse('2024-02-27T00:00:00Z');
  const slots = replaySlots(calendarFor('24x7'), '1h', from, Date.parse('2024-03-01T12:00:00Z'));
  assert.deepEqual(
    slots.map(({ end }) => iso(end)),
    ['2024-02-28T00:00:00.000Z', '2024-02-29T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
  );
  for (const { closes, end } of slots) {
    assert.equal(closes.length, 24);
    assert.equal(closes.at(-1), end);
  }
});

test('sessions of an exchange skip weekends and holidays, and end at the close', () => {
  const from = Date.parse('2024-03-27T00:00:00Z');
  const slots = replaySlots(calendarFor('nyse'), '1d', from, Date.parse('2024-04-02T23:00:00Z'));
  assert.deepEqual(
    slots.map(({ end }) => iso(end)),
    // Good Friday, 29 March, is closed.
    [
      '2024-03-27T20:00:00.000Z',
      '2024-03-28T20:00:00.000Z',
      '2024-04-01T20:00:00.000Z',
      '2024-04-02T20:00:00.000Z',
    ],
  );
  assert.deepEqual(slots[0]!.closes, [slots[0]!.end]);
});

test('what closed at the beginning is the past, and what ends after the end is left out', () => {
  const calendar = calendarFor('24x7');
  const from = Date.parse('2024-03-01T00:00:00Z');
  const [first] = replaySlots(calendar, '1h', from, from + 86_400_000);
  assert.equal(iso(first!.closes[0]!), '2024-03-01T01:00:00.000Z');
  assert.deepEqual(replaySlots(calendar, '1h', from, from + 86_399_999), []);
});
