import assert from 'node:assert/strict';
import { crashSpec, promotedRound } from '../support/crash-product.ts';
import { describeCrashes } from '../support/crash-suite.ts';

const plain = crashSpec({ kind: 'none' });
/** Watched by schedules, and too young for a retrain by whatever they may find. */
const spec = {
  ...plain,
  data: { ...plain.data, asOf: '2024-01-05T23:00:00Z' },
  retrain: { maxAge: 2000 },
  monitor: { schedule: 'on' },
};

describeCrashes({
  title: 'kill -9 within a promotion that was asked for',
  spec,
  points: [
    {
      name: 'order kept with its key',
      ...{ table: 'idempotency_key', on: 'INSERT', writer: 'api' },
    },
    {
      name: 'intent written',
      ...{ table: 'promotion', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'replica answered',
      ...{ table: 'promotion_answer', on: 'INSERT', writer: 'api' },
    },
    {
      name: 'champion switched, schedules and alerts still to come',
      ...{ table: 'champion', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'alerts of the switch looked up, schedules on their way',
      ...{ table: 'champion', on: 'INSERT', writer: 'workers', nextReads: 'alert' },
    },
  ],
  reduced: 2,
  async prepare({ product }) {
    const made = await product.run({ ...spec, forceRetrain: true });
    assert.equal(made.status, 'completed', made.message);
  },
  live: promotedRound,
  adds: { 'promotion promoted': 1, champion: 1, generations: 1, 'champion that serves': 0 },
});
