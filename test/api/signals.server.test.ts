import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { decide, strategySpecSchema } from '../../core/strategies/index.ts';
import type { EmergencyScore } from '../../core/signals/index.ts';
import { openDatabase } from '../../registry/db.ts';
import { createKey } from '../../registry/keys.ts';
import { walkBars } from '../support/made-bars.ts';
import { MODEL, testSpec } from '../support/registry-facts.ts';
import { eventually, INSTRUMENT, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';

let fixture: ApiFixture;
let api: TestReplica;

before(async () => {
  fixture = await openApiFixture(1);
  api = await fixture.open('signals');
});
after(() => fixture.close());

/** Rows of a walk as a caller sends them, the last one fallen by so much. */
const rowsOf = (count: number, fall = 0, from = '2019-01-02') => {
  const bars = walkBars(count, { instrument: INSTRUMENT, from });
  return Array.from(bars.openTime, (time, i) => {
    const close = bars.close[i]! * (i === count - 1 ? 1 - fall : 1);
    return {
      openTime: new Date(time).toISOString(),
      open: bars.open[i],
      high: bars.high[i],
      low: Math.min(bars.low[i]!, close),
      close,
      volume: bars.volume[i],
    };
  });
};

const ask = (body: object) => api.call('POST', '/api/v1/signals', { model: MODEL, ...body });

async function declare(template: object | null): Promise<void> {
  const path = `/api/v1/ml-models/${MODEL}`;
  const { status, body } = await api.call('PUT', path, { template });
  assert.equal(status, 200, JSON.stringify(body));
}
const { name, model, data } = testSpec();
const speaking = (by: object) => ({ name, model, data, serving: { strategy: by } });

test('without a champion a rule of thumb speaks, from the bars that the template names, and says so', async () => {
  const { status, body } = await ask({ instrument: INSTRUMENT });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    [body['source'], body['reason'], body['version'], body['prediction'], body['beatsNaive']],
    ['heuristic', 'no-champion', null, null, false],
  );
  assert.equal(body['asOf'], '2020-01-03T00:00:00.000Z');
  const terms = Object.values(body['terms'] as unknown as Record<string, number>);
  assert.equal(terms.length, 4);
  const score = terms.reduce((a, b) => a + b, 0) / 4;
  assert.ok(Math.abs((body['score'] as unknown as number) - score) < 1e-12);
  const past = await ask({ instrument: INSTRUMENT, asOf: '2019-06-03T23:00:00Z' });
  assert.equal(past.body['asOf'], '2019-06-03T00:00:00.000Z');
  assert.notDeepEqual(past.body['terms'], body['terms']);
  assert.deepEqual((await ask({ asOf: '2019-06-03T23:00:00Z' })).body, past.body);
  const emergency = body['emergency'] as unknown as EmergencyScore;
  assert.equal(emergency.probability, 0);
  assert.equal(emergency.score, Math.max(emergency.shock, emergency.drawdown));
});

test('without a champion the strategy that the template declares speaks, as a backtest would have it', async () => {
  const strategy = { kind: 'sma-cross', fast: 5, slow: 20, short: true };
  await declare(speaking(strategy));
  const bars = walkBars(500, { instrument: INSTRUMENT, from: '2017-06-01' });
  const { positions } = decide(strategySpecSchema.parse(strategy), {
    bars,
    calendar: calendarFor('nyse'),
  });
  const rows = rowsOf(500, 0, '2017-06-01');
  const said = new Set<number>();
  for (const count of [420, 440, 460, 480, 500]) {
    const { status, body } = await ask({ instrument: INSTRUMENT, bars: rows.slice(0, count) });
    assert.equal(status, 200, JSON.stringify(body));
    const position = positions[count - 1]!;
    said.add(position);
    assert.deepEqual(
      [body['source'], body['reason'], body['score'], body['probability'], body['terms']],
      ['strategy', 'no-champion', position, null, null],
    );
    assert.deepEqual(body['strategy'], {
      ...{ kind: 'sma-cross', position, decidedBy: 'sma-cross', fallback: false },
    });
    assert.equal(body['recommendation'], position > 0 ? 'strong_buy' : 'strong_sell');
  }
  assert.deepEqual(
    [...said].toSorted((a, b) => a - b),
    [-1, 1],
    'both sides were seen',
  );
  const stored = await ask({ instrument: INSTRUMENT });
  assert.deepEqual([stored.body['source'], stored.body['reason']], ['strategy', 'no-champion']);
  const few = await ask({ instrument: INSTRUMENT, bars: rowsOf(10) });
  assert.deepEqual([few.status, few.body['code']], [422, 'signal.too-few-bars']);
  await declare(speaking({ ...strategy, slow: 1000 }));
  const warming = await ask({ instrument: INSTRUMENT, bars: rows });
  assert.equal(warming.body['source'], 'heuristic', 'what still warms up has no opinion');
  await declare(null);
});

test('bars of the caller: too few are refused with how many there must be', async () => {
  const few = await ask({ instrument: INSTRUMENT, bars: rowsOf(20) });
  assert.deepEqual([few.status, few.body['code']], [422, 'signal.too-few-bars']);
  const enough = await ask({ instrument: INSTRUMENT, bars: rowsOf(60) });
  assert.deepEqual([enough.status, enough.body['source']], [200, 'heuristic']);
  const emergencyOf = ({ body }: typeof enough) => body['emergency'] as unknown as EmergencyScore;
  assert.ok(emergencyOf(enough).shock < 0.2, JSON.stringify(enough.body));
  assert.deepEqual((await ask({ bars: rowsOf(60) })).body, enough.body, 'the only instrument');
  const fallen = await ask({ instrument: INSTRUMENT, bars: rowsOf(60, 0.12) });
  assert.equal(emergencyOf(fallen).shock, 1);
  assert.equal(emergencyOf(fallen).score, 1);
});

test('a champion speaks for itself: by its probability of a rise, cut in five', async () => {
  await fixture.promote(1);
  await eventually('the champion answers', async () => {
    const { body } = await ask({ instrument: INSTRUMENT });
    return body['source'] === 'model';
  });
  const past = await ask({ asOf: '2019-12-01', confidence: 'mc' });
  assert.deepEqual(
    [past.body['instrument'], past.body['asOf']],
    [INSTRUMENT, '2019-11-29T00:00:00.000Z'],
  );
  const { body } = await ask({});
  const steps = body['horizons'] as unknown as {
    horizon: number;
    score: number;
    probability: number;
  }[];
  assert.deepEqual(
    steps.map(({ horizon }) => horizon),
    [7, 14, 30],
  );
  for (const { score, probability } of steps) {
    assert.ok(Math.abs(score - (2 * probability - 1)) < 1e-12);
  }
  assert.deepEqual([body['version'], body['reason'], body['terms']], [1, null, null]);
  const emergency = body['emergency'] as unknown as EmergencyScore;
  // p(sell) - p(buy) of the first horizon.
  const part = Math.min(1, Math.max(0, (-steps[0]!.score - 0.3) / 0.5));
  assert.ok(Math.abs(emergency.probability - part) < 1e-12);
  const { shock, drawdown } = emergency;
  assert.equal(emergency.score, Math.max(shock, drawdown, emergency.probability));
  const own = await ask({ instrument: INSTRUMENT, bars: rowsOf(500, 0.15, '2017-06-01') });
  assert.equal(own.body['source'], 'model', JSON.stringify(own.body));
  assert.equal((own.body['emergency'] as unknown as EmergencyScore).shock, 1);
  const prediction = body['prediction'] as unknown as { id: string; recorded: boolean };
  assert.equal(prediction.recorded, true);
});

test('a prediction says how urgent it is to leave where it is asked, as the signal does', async () => {
  const predict = (body: object) =>
    api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, { instrument: INSTRUMENT, ...body });
  for (const when of [{}, { asOf: '2019-08-05T23:00:00Z' }]) {
    const signal = await ask({ instrument: INSTRUMENT, ...when });
    const asked = await predict({ ...when, emergency: true });
    assert.equal(asked.status, 200, JSON.stringify(asked.body));
    assert.deepEqual(asked.body['emergency'], signal.body['emergency']);
    assert.ok(signal.body['emergency']);
  }
  const plain = await predict({});
  assert.equal('emergency' in plain.body, false);
  // The bars alone, where no probability was asked for.
  const bare = await predict({ emergency: true, confidence: 'none' });
  assert.equal((bare.body['emergency'] as unknown as EmergencyScore).probability, 0);
});

test('a quantity without confidence has no probability, so the rule of thumb speaks beside it', async () => {
  const { body } = await ask({ confidence: 'none' });
  assert.deepEqual(
    [body['source'], body['reason'], body['version']],
    ['heuristic', 'no-probability', 1],
  );
  assert.notEqual(body['prediction'], null);
});

test('what cannot explain itself says why', async () => {
  const { body } = await ask({ explain: true });
  const explanation = body['explanation'] as unknown as { contributions: null; reason: string };
  assert.equal(explanation.contributions, null);
  assert.match(explanation.reason, /lstm-multi-horizon does not say/);
  const { body: plain } = await ask({});
  assert.equal('explanation' in plain, false);
  const predicted = await api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, { explain: true });
  assert.deepEqual(predicted.body['explanation'], explanation);
});

test('mistakes: an unknown model, a foreign instrument, a key for another model', async () => {
  const unknown = await api.call('POST', '/api/v1/signals', { model: 'nothing-here' });
  assert.equal(unknown.status, 404);
  const foreign = await ask({ instrument: 'MSFT' });
  assert.deepEqual([foreign.status, foreign.body['code']], [422, 'predict.unknown-instrument']);
  const { token } = await createKey(fixture.db, {
    name: 'other',
    scopes: ['predict'],
    models: ['another'],
    expiresAt: null,
  });
  const denied = await api.call('POST', '/api/v1/signals', { model: MODEL }, { key: token });
  assert.equal(denied.status, 404);
});

test('a declared strategy speaks by the champion, over a restart without the database too', async () => {
  await declare(
    speaking({ kind: 'model-signal', by: 'change', cuts: { buy: 1e-5, strongBuy: 1e-4 } }),
  );
  const { body } = await ask({});
  assert.deepEqual([body['source'], body['reason'], body['version']], ['strategy', null, 1]);
  const horizons = body['horizons'] as unknown as { horizon: number }[];
  assert.deepEqual(
    horizons.map(({ horizon }) => horizon),
    [7, 14, 30],
    'what the model itself says is in it',
  );
  await api.stop();
  const nowhere = openDatabase('postgres://nobody@127.0.0.1:1/none', { max: 1 });
  try {
    api = await fixture.open('signals', { db: nowhere });
    const again = await ask({});
    assert.equal(again.status, 200, JSON.stringify(again.body));
    for (const field of ['source', 'reason', 'version', 'strategy', 'recommendation', 'asOf']) {
      assert.deepEqual(again.body[field], body[field], field);
    }
  } finally {
    await api.stop();
    await nowhere.destroy();
  }
});
