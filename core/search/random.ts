import { randomFor } from '../models/random.ts';
import { pointAt, pointKey, sizeOf, type Point } from './point.ts';
import { defineSearch, type SuggestInput } from './search-method.ts';

/** Separates the draws of this method from all other random numbers of a seed. */
const SALT = 0x726e646d;
/** A new point is looked for so often; in a space that is nearly used up an old one comes again. */
const DRAWS_MAX = 1000;

/** Points drawn evenly from the space (Bergstra and Bengio 2012), none twice while there are others. */
export const random = defineSearch({
  name: 'random',
  docs: 'Draws each trial evenly from the space, independent of all others; none twice.',
  suggest: randomPoint,
});

/** A pure function of seed, index and the points before; undefined when all points there are were tried. */
export function randomPoint({ space, seed, index, earlier }: SuggestInput): Point | undefined {
  const tried = new Set(earlier.map((point) => pointKey(space, point)));
  if (tried.size >= sizeOf(space)) return undefined;
  const uniform = randomFor(seed, SALT, index);
  const draw = (): Point =>
    pointAt(
      space,
      space.map(() => uniform()),
    );
  let point = draw();
  for (let n = 1; n < DRAWS_MAX && tried.has(pointKey(space, point)); n++) point = draw();
  return point;
}
