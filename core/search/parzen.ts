import type { Random } from '../models/random.ts';
import { normalCdf } from './normal.ts';
import { cellOf, shareOf, valueAt } from './point.ts';
import type { Dimension } from './space.ts';

/** A density over the values of one hyperparameter that can be drawn from. */
export interface Density {
  draw(uniform: Random, normal: Random): unknown;
  /** Density of a value; of an integer or a choice its probability. */
  of(value: unknown): number;
}

/** A draw that keeps falling outside the bounds ends inside them. */
const REDRAWS_MAX = 100;
/** Bells are no narrower than this share of the range, however many values there are. */
const BELLS_MAX = 100;

/** The Parzen estimator of these values of a hyperparameter. */
export function parzen(dimension: Dimension, values: readonly unknown[]): Density {
  return dimension.kind === 'choice'
    ? choiceDensity(dimension.choices, values)
    : numberDensity(dimension, values as readonly number[]);
}

/** Formula: p_i proportional to 1 + count_i, the prior being one count of each. */
function choiceDensity(choices: readonly unknown[], values: readonly unknown[]): Density {
  const keys = choices.map((choice) => JSON.stringify(choice));
  const counts = keys.map(() => 1);
  for (const value of values) counts[keys.indexOf(JSON.stringify(value))]! += 1;
  const total = counts.reduce((a, b) => a + b, 0);
  return {
    of: (value) => (counts[keys.indexOf(JSON.stringify(value))] ?? 0) / total,
    draw: (uniform) => {
      let left = uniform() * total;
      const at = counts.findIndex((count) => (left -= count) < 0);
      return choices[at < 0 ? choices.length - 1 : at];
    },
  };
}

/**
 * Formula: the even prior over the range and one Gaussian a value, all of the same weight, each cut off at the bounds and
 * scaled up for what is cut off. The width of a Gaussian is the larger distance to its neighbours, clipped to
 * [1 / min(100, n + 2), 1] of the range; all on the scale of the hyperparameter. Integers get the mass of their cell.
 */
function numberDensity(
  dimension: Extract<Dimension, { kind: 'number' }>,
  values: readonly number[],
): Density {
  const centres = values.map((value) => shareOf(dimension, value)).toSorted((a, b) => a - b);
  const widths = widthsOf(centres);
  const inside = centres.map((mu, i) => massOf(mu, widths[i]!, 0, 1));
  const weight = 1 / (centres.length + 1);
  return {
    of: (value) => {
      const [below, above] = cellOf(dimension, value as number);
      const cell = above - below;
      let sum = cell > 0 ? cell : 1;
      centres.forEach((mu, i) => {
        const sd = widths[i]!;
        sum +=
          (cell > 0 ? massOf(mu, sd, below, above) : bell((below - mu) / sd) / sd) / inside[i]!;
      });
      return sum * weight;
    },
    draw: (uniform, normal) => {
      const at = Math.floor(uniform() * (centres.length + 1));
      if (at >= centres.length) return valueAt(dimension, uniform());
      for (let n = 0; n < REDRAWS_MAX; n++) {
        const u = centres[at]! + widths[at]! * normal();
        if (u >= 0 && u <= 1) return valueAt(dimension, u);
      }
      return valueAt(dimension, centres[at]!);
    },
  };
}

function widthsOf(centres: readonly number[]): number[] {
  const least = 1 / Math.min(BELLS_MAX, centres.length + 2);
  return centres.map((centre, i) => {
    const left = i === 0 ? 0 : centre - centres[i - 1]!;
    const right = i === centres.length - 1 ? 0 : centres[i + 1]! - centre;
    // One value alone says nothing about how far it reaches: as far as the prior.
    const reach = centres.length === 1 ? 1 : Math.max(left, right);
    return Math.min(1, Math.max(least, reach));
  });
}

const bell = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
const massOf = (mu: number, sd: number, from: number, to: number): number =>
  normalCdf((to - mu) / sd) - normalCdf((from - mu) / sd);
