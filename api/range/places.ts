import { ApiError } from '../errors.ts';
import { Places } from '../places.ts';

/**
 * Places that hold as long as a stream of rows is open; apart from those of batches, which nobody has to read on for.
 * Taking one throws `range.too-many` (of the key) and `predict.overloaded`.
 */
export const rangePlaces = (limits: { readonly all: number; readonly ofKey: number }): Places =>
  new Places({
    ...limits,
    // Those of a connection that was cut end by themselves: whoever goes on behind them has to come again.
    keyIsFull: (own) => {
      const message = `This key has ${own} ranges open: read one to its end, or close it.`;
      return new ApiError('too-many-requests', 'range.too-many', message, { retryAfterS: 5 });
    },
    allAreTaken: () =>
      new ApiError('unavailable', 'predict.overloaded', 'Too many ranges at once.', {
        retryAfterS: 5,
      }),
  });
