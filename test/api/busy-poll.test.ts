import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyPoll } from '../../api/busy-poll.ts';
import { InFlight } from '../../api/in-flight.ts';

/** A poll on a clock that stands until it is moved, and the turns that it asked for. */
function pollOn(cores: number) {
  let now = 1_000;
  const turns: (() => void)[] = [];
  const poll = new BusyPoll({ now: () => now, nextTurn: (call) => turns.push(call), cores });
  const after = (us: number): void => void (now += us / 1_000);
  /** Microseconds from now until the loop may sleep, a turn each. */
  const awakeUs = (): number => {
    let us = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift(), us++) {
      turn();
      after(1);
      assert.ok(us < 1_000, 'it polls for ever');
    }
    return us;
  };
  const request = (): void => {
    poll.begin();
    after(200);
    poll.end();
  };
  return { poll, after, awakeUs, request };
}

test('requests that follow one another closely are polled for, for a moment', () => {
  const { after, awakeUs, request } = pollOn(2);
  request();
  assert.equal(awakeUs(), 0, 'nobody knows that a second one follows');
  after(60);
  request();
  const awake = awakeUs();
  assert.ok(awake > 95 && awake < 105, `${awake} us`);
  request();
  assert.equal(awakeUs(), 0, 'that one came late');
});

test('nothing is polled for while a request is under way', () => {
  const { poll, after, awakeUs, request } = pollOn(2);
  request();
  after(60);
  request();
  poll.begin();
  assert.equal(awakeUs(), 1, 'the turn that was asked for before');
  poll.end();
  assert.ok(awakeUs() > 95, 'the next one is waited for again');
});

test('a caller on the same core is not kept from it', () => {
  const { after, awakeUs, request } = pollOn(1);
  request();
  after(60);
  request();
  assert.equal(awakeUs(), 0);
});

test('the loop sleeps once no more requests come', async () => {
  const inFlight = new InFlight();
  for (let i = 0; i < 3; i++) {
    assert.ok(inFlight.enter());
    inFlight.leave();
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = performance.eventLoopUtilization();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { utilization } = performance.eventLoopUtilization(before);
  assert.ok(utilization < 0.9, `${utilization}`);
});
