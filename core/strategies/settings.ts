import { z } from 'zod';

/** Settings that several strategies have. */
export const shortSetting = z
  .boolean()
  .default(false)
  .describe('Sell short where it says sell; false: be flat.');

export const holdBarsSetting = (bars: number) =>
  z
    .int()
    .min(1)
    .max(1000)
    .default(bars)
    .describe('A position ends so many bars after the last bar that called for it.');

export const periodSetting = (bars: number, what: string) =>
  z.int().min(2).max(1000).default(bars).describe(what);
