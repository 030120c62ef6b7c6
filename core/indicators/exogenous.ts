import { z } from 'zod';
import { defineIndicator } from './indicator.ts';
import { columnOf } from './positions.ts';

/**
 * A column of an exogenous source: the newest of its values in the last `period` bars, for series that come
 * less often than bars. Values stand at the bar at which they were known, so nothing looks ahead.
 * Edge: `otherwise` where there was none in so many bars; without it NaN, which no sample may hold.
 */
export const exogenous = defineIndicator({
  name: 'exogenous',
  docs: 'newest value of a column `dataset.column` of an exogenous source in the last `period` bars, else `otherwise`',
  params: z.strictObject({
    column: z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9._-]{0,62}\.[a-z][a-z0-9_]{0,40}$/,
        'dataset.column, such as vix-daily.close or macro.cpi',
      ),
    period: z.int().min(1).max(1000).default(1),
    otherwise: z.number().exactOptional(),
  }),
  examples: [
    { column: 'macro.close', period: 40 },
    { column: 'macro.close', otherwise: -1 },
  ],
  exogenous: ({ column }) => [column],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: ({ positions, exogenous: columns }, { column, period, otherwise = NaN }) => {
    const x = columns[column];
    return columnOf(
      positions,
      [period, x, otherwise],
      (out, [period, x, otherwise], from, to) => {
        let newest = from - period;
        for (let t = Math.max(0, newest); t < to; t++) {
          if (x !== undefined && !Number.isNaN(x[t]!)) newest = t;
          if (t >= from) out[t] = newest > t - period ? x![newest]! : otherwise;
        }
      },
      period - 1,
    );
  },
});
