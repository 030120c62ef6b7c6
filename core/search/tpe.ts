import { normalFrom, randomFor } from '../models/random.ts';
import { compare } from './importance.ts';
import { parzen, type Density } from './parzen.ts';
import { pointKey, type Point } from './point.ts';
import { randomPoint } from './random.ts';
import { defineSearch, type SuggestInput } from './search-method.ts';
import type { Space } from './space.ts';

const SALT = 0x74706531;
/** Share of the outcomes that count as good (Bergstra et al. 2011, section 4: gamma = 0.15). */
const GAMMA = 0.15;
/** Points drawn from the density of the good ones, of which the most promising is taken. */
const CANDIDATES = 24;
/** Random trials before the first estimate: a third of those planned, within these limits. */
const STARTUP = { least: 4, most: 10 } as const;

/**
 * Tree-structured Parzen Estimator.
 * Formula: l(x) and g(x) are products of Parzen estimators over the good (the best gamma of the outcomes) and the other
 * trials; expected improvement grows with l(x) / g(x), so of 24 points drawn from l the one with the largest ratio is
 * taken. Outcomes are ordered by rungs finished, then by loss; trials that are still running count among the others, so
 * that parallel trials keep apart.
 * Reference: Bergstra, Bardenet, Bengio, Kegl, Algorithms for Hyper-Parameter Optimization, NIPS 2011, section 4.
 * Edge: before the startup trials, and where every candidate was tried, a random point; failed trials count as worst.
 */
export const tpe = defineSearch({
  name: 'tpe',
  docs:
    'Tree-structured Parzen Estimator (Bergstra et al. 2011): looks where good trials are dense and others are not. ' +
    'The first third (4 to 10 trials) is random.',
  suggest: (input) => {
    const { space, known, trials, seed, index, earlier } = input;
    const startup = Math.min(STARTUP.most, Math.max(STARTUP.least, Math.floor(trials / 3)));
    if (known.length < startup) return randomPoint(input);
    const [good, bad] = estimators(input);
    const uniform = randomFor(seed, SALT, index);
    const normal = normalFrom(uniform);
    const tried = new Set(earlier.map((point) => pointKey(space, point)));
    let best: { point: Point; ratio: number } | undefined;
    for (let n = 0; n < CANDIDATES; n++) {
      const values = space.map((_, i) => good[i]!.draw(uniform, normal));
      const point = Object.fromEntries(space.map(({ path }, i) => [path, values[i]]));
      const ratio = values.reduce<number>(
        (sum, value, i) => sum + Math.log(good[i]!.of(value)) - Math.log(bad[i]!.of(value)),
        0,
      );
      if (tried.has(pointKey(space, point)) || ratio <= (best?.ratio ?? -Infinity)) continue;
      best = { point, ratio };
    }
    return best?.point ?? randomPoint(input);
  },
});

/** Densities of the good and of the other points, one a dimension. */
function estimators({ space, known, earlier }: SuggestInput): readonly [Density[], Density[]] {
  const ranked = known.toSorted(compare);
  const count = Math.max(1, Math.ceil(GAMMA * ranked.length));
  const good = ranked.slice(0, count).map(({ point }) => point);
  const running = earlier.slice(known.length);
  const bad = [...ranked.slice(count).map(({ point }) => point), ...running];
  return [densities(space, good), densities(space, bad)];
}

const densities = (space: Space, points: readonly Point[]): Density[] =>
  space.map((dimension) =>
    parzen(
      dimension,
      points.map((point) => point[dimension.path]),
    ),
  );
