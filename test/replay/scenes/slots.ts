import type { MonitorResult } from '../../../activities/contracts-lifecycle.ts';
import { failingFirst, type Script } from '../../support/scripted-activities.ts';
import { MODEL, day, ended, type Scene } from '../scene.ts';
import { untilCancelled } from './experiment.ts';

const slot = { model: MODEL, asOf: day(5) };
const down = (): Error => new Error('connection refused');

const report = (
  verdict: MonitorResult['verdict'],
  signals: MonitorResult['signals'],
): MonitorResult => ({ reportId: 'report-5', verdict, signals, words: ['In words.'] });

const reporting = (result: MonitorResult): Script => ({
  override: { monitor: async () => result },
});

export const SETTLE_SCENES: readonly Scene[] = [
  { type: 'settle', name: 'asked-for', input: slot },
  { type: 'settle', name: 'scheduled', input: { model: MODEL }, scheduledAt: day(5) },
  {
    ...{ type: 'settle', name: 'retried', input: slot },
    script: {
      override: { topUpBars: failingFirst(2, down(), { newestBar: day(5), newRows: 1 }) },
    },
  },
  {
    ...{ type: 'settle', name: 'cancelled', input: slot },
    script: { override: { settle: untilCancelled } },
    play: async (stage) => {
      await stage.called('settle');
      await stage.handle.cancel();
      await ended(stage);
    },
  },
  { ...{ type: 'settle', name: 'crash-resumed', input: slot }, crashIn: 'workflows' },
];

export const MONITOR_SCENES: readonly Scene[] = [
  { type: 'monitor', name: 'calm', input: slot },
  { type: 'monitor', name: 'warned', input: slot, script: reporting(report('warn', [])) },
  { type: 'monitor', name: 'drift', input: slot, script: reporting(report('drift', ['loss'])) },
  { type: 'monitor', name: 'scheduled', input: { model: MODEL }, scheduledAt: day(5) },
  {
    ...{ type: 'monitor', name: 'retried', input: slot },
    script: {
      override: { monitor: failingFirst(2, down(), report('notCalibrated', ['stale'])) },
    },
  },
  {
    ...{ type: 'monitor', name: 'crash-resumed', input: slot, crashIn: 'workflows' },
    script: reporting(report('drift', ['input-twice'])),
  },
];
