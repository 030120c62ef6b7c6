import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ALERT_EVENTS,
  CHOSEN_EVENTS,
  alertBody,
  alertsOfReport,
  alertEvents,
  composeAlert,
  parseWebhookSecrets,
  signatureHeaders,
  wantsAlert,
  type Alert,
  type AlertEvent,
  type AlertFacts,
} from '../../../core/alerts/index.ts';

const about = { model: 'sim-a', asOf: '2024-05-01T00:00:00.000Z' };
const trial = { ...about, version: 4, trialId: '01TRIAL', reasons: ['Its loss was 40 % higher.'] };
const facts: AlertFacts = {
  'champion.promoted': {
    ...{ ...about, version: 4, former: 3, generation: 2 },
    reason: 'It proved better.',
  },
  'champion.rolled-back': {
    ...{ ...about, version: 3, former: 4, generation: 3 },
    ...{ actor: 'ada', reason: 'Bad fills.' },
  },
  'trial.aborted': trial,
  'trial.undecided': trial,
  'trial.waiting-approval': { ...about, version: 4, trialId: '01TRIAL', withinDays: 14 },
  'parity.different': {
    ...about,
    reportId: '01REPORT',
    replayed: 100,
    different: 3,
    byCause: { 'bar-altered': 3 },
  },
  'parity.failed': { ...about, reportId: '01REPORT', reason: 'The package store is away.' },
  'drift.detected': { ...about, version: 3, reportId: '01REPORT', reasons: ['Loss rose.'] },
  'retrain.failed': {
    ...{ ...about, retrainId: '01RETRAIN', experimentId: '01EXPERIMENT' },
    reason: 'No bars came.',
  },
  'model.stale': { ...about, version: 3, reportId: '01REPORT', reason: 'It is 200 sessions old.' },
  'alert.test': { model: null, asOf: null, testId: '01TEST', webhook: null },
};
const compose = <E extends AlertEvent>(event: E): Alert => composeAlert(event, facts[event]);

describe('alerts', () => {
  for (const event of ALERT_EVENTS) {
    it(`${event}: words, an id that a repeat has too, a place where the evidence is`, () => {
      const alert = compose(event);
      assert.match(alert.id, /^alert_[0-9a-f]{32}$/);
      assert.equal(compose(event).id, alert.id);
      assert.match(alert.payload.words, /^[A-Z].*\.$/s, 'sentences');
      assert.ok(!/undefined|null|NaN|\[object/.test(alert.payload.words), alert.payload.words);
      assert.ok(alertEvents[event].title.endsWith('.'));
      if (event === 'alert.test') return;
      assert.match(alert.payload.words, /sim-a/);
      assert.match(alert.payload.evidence ?? '', /^\/api\/v1\//);
      assert.equal(alert.asOf, about.asOf);
    });
  }

  it('tells another occurrence by another id', () => {
    const ids = new Set(ALERT_EVENTS.map((event) => compose(event).id));
    assert.equal(ids.size, ALERT_EVENTS.length);
    const again = composeAlert('champion.promoted', {
      ...facts['champion.promoted'],
      generation: 9,
    });
    assert.ok(!ids.has(again.id));
  });

  it('makes a sentence of what a person wrote', () => {
    const { payload } = composeAlert('champion.promoted', {
      ...{ ...facts['champion.promoted'], reason: 'asked for by hand' },
    });
    assert.match(payload.words, /version 3\. Reason: asked for by hand\.$/);
  });

  it('tells of drift and age when they begin', () => {
    const report = {
      ...about,
      version: 3,
      reportId: '01REPORT',
      words: ['Drift. Worse.', 'More.'],
    };
    const events = (signals: string[], before: string[]): string[] =>
      alertsOfReport({ ...report, signals }, before).map(({ event }) => event);
    assert.deepEqual(events([], []), []);
    assert.deepEqual(events(['loss'], []), ['drift.detected']);
    assert.deepEqual(events(['loss', 'stale'], []), ['drift.detected', 'model.stale']);
    assert.deepEqual(events(['loss', 'stale'], ['stale']), ['drift.detected']);
    assert.deepEqual(events(['loss', 'stale'], ['loss', 'stale']), []);
    assert.deepEqual(events(['input-twice', 'loss'], ['loss']), ['drift.detected']);
    const [alert] = alertsOfReport({ ...report, signals: ['stale'] }, []);
    assert.equal(alert?.payload.words, 'Version 3 of sim-a is stale. Drift. Worse.');
    assert.deepEqual(alert.payload.facts, {
      ...{ version: 3, reportId: '01REPORT', reason: 'Drift. Worse.' },
    });
  });

  it('names the first champion as such', () => {
    const { payload } = composeAlert('champion.promoted', {
      ...{ ...facts['champion.promoted'], former: null },
    });
    assert.match(payload.words, /serves now, its first champion\./);
  });

  it('has a body of type, timestamp and data, the same bytes at every attempt', () => {
    const alert = compose('trial.aborted');
    const at = '2024-05-01T00:00:05.000Z';
    const body = alertBody(alert, at, 'https://ratchet.example');
    assert.equal(alertBody(compose('trial.aborted'), at, 'https://ratchet.example'), body);
    assert.deepEqual(JSON.parse(body), {
      type: 'trial.aborted',
      timestamp: at,
      data: {
        ...{ id: alert.id, model: 'sim-a', asOf: about.asOf, words: alert.payload.words },
        evidence: 'https://ratchet.example/api/v1/ml-models/sim-a/trials/01TRIAL',
        facts: { version: 4, trialId: '01TRIAL', reasons: trial.reasons },
      },
    });
    const bare = JSON.parse(alertBody(alert, at)) as { data: { evidence: string } };
    assert.equal(bare.data.evidence, '/api/v1/ml-models/sim-a/trials/01TRIAL');
  });

  it('goes to the webhooks that want its event and its model; a test to the one it names or to all', () => {
    const webhook = { name: 'ops', events: ['trial.aborted'], models: ['sim-a'] } as const;
    const wants = (change: object, alert: Alert): boolean =>
      wantsAlert({ ...webhook, ...change }, alert);
    const aborted = compose('trial.aborted');
    assert.equal(wants({}, aborted), true);
    assert.equal(wants({ models: ['sim-b'] }, aborted), false);
    assert.equal(wants({ models: [] }, aborted), true);
    assert.equal(wants({ events: CHOSEN_EVENTS }, aborted), true);
    assert.equal(wants({}, compose('trial.undecided')), false);
    const test = compose('alert.test');
    assert.equal(wants({}, test), true);
    const named = composeAlert('alert.test', { ...facts['alert.test'], webhook: 'other' });
    assert.equal(wants({}, named), false);
    assert.equal(wants({ name: 'other' }, named), true);
  });
});

describe('signatures', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

  it('are those of Standard Webhooks (vector of its own libraries, commit b2fa7b87)', () => {
    const message = {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestampS: 1_614_265_330,
      body: '{"test": 2432232314}',
    };
    assert.deepEqual(signatureHeaders(message, parseWebhookSecrets(secret, 'X')), {
      'webhook-id': message.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('are two while a secret is changed', () => {
    const second = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const headers = signatureHeaders(
      { id: 'a', timestampS: 1, body: '' },
      parseWebhookSecrets(`${second} ${secret}\n`, 'X'),
    );
    const each = headers['webhook-signature'].split(' ');
    assert.equal(each.length, 2);
    const [alone] = [
      signatureHeaders({ id: 'a', timestampS: 1, body: '' }, parseWebhookSecrets(secret, 'X')),
    ];
    assert.equal(each[1], alone['webhook-signature']);
  });

  it('refuses what is no secret, and does not repeat it', () => {
    for (const text of [
      '',
      'hunter2hunter2',
      'whsec_',
      'whsec_c2hvcnQ=',
      `whsec_${'A'.repeat(120)}`,
    ]) {
      assert.throws(
        () => parseWebhookSecrets(text, 'RATCHET_WEBHOOK_SECRET_OPS'),
        (error: Error) =>
          error.message.startsWith('RATCHET_WEBHOOK_SECRET_OPS must hold whsec_') &&
          (text.length < 7 || !error.message.includes(text)),
      );
    }
  });

  it('refuses an id that could be taken for part of another message', () => {
    const secrets = parseWebhookSecrets(secret, 'X');
    assert.throws(() => signatureHeaders({ id: 'a.1', timestampS: 1, body: '' }, secrets));
    assert.throws(() => signatureHeaders({ id: 'a', timestampS: 1.5, body: '' }, secrets));
  });
});
