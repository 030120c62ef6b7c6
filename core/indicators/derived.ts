import { ratio } from './arithmetic.ts';
import type { IndicatorUse } from './indicator.ts';

/** Uses made of another use: its values in other units, at other bars, or over a window of them. */

/** `x / c`: a level of the price in units of the close, so that it means the same at any price. */
export function overClose(of: IndicatorUse): IndicatorUse {
  return {
    ...of,
    docs: `(${of.docs}) / c`,
    key: `overClose(${of.key})`,
    compute: (input) => ratio(input.column(of), input.close, 1),
  };
}
