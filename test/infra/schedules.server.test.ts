import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import {
  deleteSchedules,
  ensureSchedules,
  wantedSchedules,
  type Watch,
} from '../../infra/schedules.ts';
import { eventually } from '../support/api-fixture.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';

const daily: Watch = {
  model: 'index-gspc',
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  every: 1,
  on: true,
};
const hourly: Watch = {
  model: 'coin',
  timeframe: '1h',
  calendar: calendarFor('24x7'),
  every: 5,
  on: true,
};

const isWeekend = (time: Date): boolean => [0, 6].includes(time.getUTCDay());

describe('schedules', { skip: temporalMissing }, () => {
  it('come after each close, once, and say which slot they meant', async () => {
    const temporal = await startTemporal();
    const { schedule, workflow } = temporal.client;
    const times = async (id: string): Promise<Date[]> =>
      (await schedule.getHandle(id).describe()).info.nextActionTimes;
    try {
      assert.deepEqual(await ensureSchedules(schedule, daily), {
        'settle/index-gspc': 'created',
        'monitor/index-gspc': 'created',
        'parity/index-gspc': 'created',
      });
      assert.deepEqual(await ensureSchedules(schedule, daily), {
        'settle/index-gspc': 'unchanged',
        'monitor/index-gspc': 'unchanged',
        'parity/index-gspc': 'unchanged',
      });
      await ensureSchedules(schedule, hourly);
      // Winter's close is 21:00 UTC: no slot of the year comes before the session has ended.
      for (const time of await times('settle/index-gspc')) {
        assert.ok(!isWeekend(time), time.toISOString());
        const day = Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate());
        if (daily.calendar.isOpen(day, '1d')) {
          assert.ok(daily.calendar.closeTime(day, '1d') < time.getTime(), time.toISOString());
        }
      }
      const hours = await times('settle/coin');
      for (const [i, time] of hours.entries()) {
        assert.equal(time.getUTCMinutes(), 5);
        if (i > 0) assert.equal(time.getTime() - hours[i - 1]!.getTime(), 3_600_000);
      }
      const [first, second] = (await times('monitor/coin')) as [Date, Date];
      assert.equal(second.getTime() - first.getTime(), 5 * 86_400_000, 'five days of 24x7');

      // Slots of the past, as after an outage: each run knows the time that was meant.
      await schedule.getHandle('monitor/index-gspc').backfill({
        start: new Date('2024-03-08T00:00:00Z'),
        end: new Date('2024-03-12T00:00:00Z'),
        overlap: 'ALLOW_ALL',
      });
      const started = async () => {
        const found: { readonly type: string; readonly meant: unknown; readonly id: string }[] = [];
        for await (const run of workflow.list({ query: "WorkflowType = 'monitor'" })) {
          const handle = workflow.getHandle(run.workflowId);
          const { searchAttributes } = await handle.describe();
          const [meant] = searchAttributes['TemporalScheduledStartTime'] ?? [];
          found.push({ type: run.type, meant, id: run.workflowId });
        }
        return found.sort((a, b) => (a.id < b.id ? -1 : 1));
      };
      await eventually('both slots run', async () => (await started()).length === 2);
      // Friday and Monday across the change of the clocks: the same UTC time, none twice.
      assert.deepEqual(
        (await started()).map(({ meant }) => meant),
        [new Date('2024-03-08T22:00:00Z'), new Date('2024-03-11T22:00:00Z')],
      );
    } finally {
      await temporal.teardown();
    }
  });

  it("follow the spec, keep an operator's pause, and go where nothing is watched", async () => {
    const temporal = await startTemporal();
    const { schedule } = temporal.client;
    try {
      await ensureSchedules(schedule, daily);
      const settle = schedule.getHandle('settle/index-gspc');
      await settle.pause('vendor is down');
      const weekly = await ensureSchedules(schedule, { ...daily, every: 5 });
      assert.deepEqual(weekly, {
        'settle/index-gspc': 'unchanged',
        'monitor/index-gspc': 'updated',
        'parity/index-gspc': 'unchanged',
      });
      assert.deepEqual(await ensureSchedules(schedule, { ...daily, every: 5 }), {
        'settle/index-gspc': 'unchanged',
        'monitor/index-gspc': 'unchanged',
        'parity/index-gspc': 'unchanged',
      });
      await ensureSchedules(schedule, { ...daily, timeframe: '1h', calendar: hourly.calendar });
      const { state, policies } = await settle.describe();
      assert.deepEqual([state.paused, state.note], [true, 'vendor is down']);
      assert.deepEqual(policies, {
        overlap: 'BUFFER_ONE',
        catchupWindow: 3_600_000,
        pauseOnFailure: false,
      });
      assert.deepEqual(await ensureSchedules(schedule, { ...daily, on: false }), {
        'settle/index-gspc': 'deleted',
        'monitor/index-gspc': 'deleted',
        'parity/index-gspc': 'deleted',
      });
      assert.deepEqual(await deleteSchedules(schedule, daily.model), {
        'settle/index-gspc': 'absent',
        'monitor/index-gspc': 'absent',
        'parity/index-gspc': 'absent',
      });
    } finally {
      await temporal.teardown();
    }
  });

  it('start workflows without asOf, so that the slot is what counts', () => {
    for (const { action } of wantedSchedules(daily)) {
      assert.deepEqual(action.args, [{ model: 'index-gspc' }]);
    }
  });
});
