import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf, type StoryEvent } from '../../../api/cli/demo-drift/expected.ts';

const event = (kind: string, day: string, changes: Partial<StoryEvent> = {}): StoryEvent => ({
  kind,
  asOf: `2024-${day}T00:00:00.000Z`,
  version: 1,
  words: `${kind} on ${day}`,
  payload: {},
  ...changes,
});
const first = event('champion.promoted', '01-15', { asOf: null });
const drift = event('drift.report', '02-10', { payload: { verdict: 'drift' } });
const ended = (status: string) =>
  event('trial.ended', '02-20', { version: 2, payload: { status } });
const retrained = [
  event('retrain.started', '02-10'),
  event('trial.started', '02-10', { version: 2 }),
  event('retrain.finished', '02-10', { payload: { status: 'completed' } }),
];
const promoted = event('champion.promoted', '02-20', { version: 2 });

test('the three stories that were planted have no fault', () => {
  assert.deepEqual(
    faultsOf('change', [first, drift, ...retrained, promoted, ended('promoted')]),
    [],
  );
  for (const status of ['rejected', 'undecided', 'aborted']) {
    assert.deepEqual(faultsOf('noise', [first, drift, ...retrained, ended(status)]), []);
  }
  assert.deepEqual(faultsOf('steady', [first]), []);
});

test('a story that lacks a step, or has one too many, is not what was planted', () => {
  const change = [first, drift, ...retrained, promoted, ended('promoted')];
  for (const missing of [drift, ...retrained.slice(0, 2), promoted, ended('promoted')]) {
    const rest = change.filter(
      ({ kind, version }) => kind !== missing.kind || version !== missing.version,
    );
    assert.notDeepEqual(faultsOf('change', rest), [], `without ${missing.kind}`);
  }
  assert.notDeepEqual(faultsOf('noise', change), []);
  assert.notDeepEqual(faultsOf('steady', [first, drift, ...retrained, ended('undecided')]), []);
  assert.notDeepEqual(faultsOf('change', [first, drift, ...retrained, ended('undecided')]), []);
});

test('a retrain before the change, one that failed, and another order are faults', () => {
  const early = event('retrain.started', '01-20');
  assert.match(faultsOf('steady', [first, early])[0]!, /should not have happened/);
  assert.notDeepEqual(
    faultsOf('change', [first, early, drift, ...retrained, promoted, ended('promoted')]),
    [],
  );
  const failed = event('retrain.finished', '02-11', { payload: { status: 'failed' } });
  assert.notDeepEqual(
    faultsOf('noise', [first, drift, ...retrained, failed, ended('undecided')]),
    [],
  );
  const turned = [first, ...retrained, drift, promoted, ended('promoted')];
  assert.deepEqual(faultsOf('change', turned), ['The steps stand in another order.']);
});
