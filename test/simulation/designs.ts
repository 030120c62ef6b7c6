/**
 * Pairs of models of protocol P1 whose true difference is known: equal in the null designs, a stated share better or
 * worse in the others. Each design is the label's predictable part and the forecasts, of signals that series share.
 */
import { drawsOf, signal, type Market } from './markets.ts';

/** SD of a forecast: 2 % of the label's variance. */
const FORECAST_SD = Math.sqrt(0.02);
export const CHALLENGERS_IN_A_ROW = 10;
/** Correlation of two seeds of one model. */
const SEED_CORRELATION = 0.8;
const SEEDS = 3;

/** Everything random of one series; the designs and cells read its first rows. */
export interface World {
  readonly returns: Float64Array;
  /** What can be known of the label. */
  readonly known: Float64Array;
  /** What only one of two models sees. */
  readonly extra: Float64Array;
  readonly championNoise: Float64Array;
  readonly challengerNoise: readonly Float64Array[];
}

export function worldOf(market: Market, seed: number, rows: number): World {
  const draws = drawsOf(seed);
  const next = (): Float64Array => signal(draws, rows);
  return {
    returns: market.returns(draws, rows),
    known: next(),
    extra: next(),
    championNoise: next(),
    challengerNoise: Array.from({ length: CHALLENGERS_IN_A_ROW }, next),
  };
}

/** Sums of the next h returns over sqrt(h): overlapping labels of unit variance. */
export function labelsOf(returns: Float64Array, rows: number, horizon: number): Float64Array {
  const out = new Float64Array(rows);
  const scale = 1 / Math.sqrt(horizon);
  let sum = 0;
  for (let i = 1; i <= horizon; i++) sum += returns[i]!;
  for (let t = 0; t < rows; t++) {
    out[t] = sum * scale;
    sum += (returns[t + horizon + 1] ?? 0) - returns[t + 1]!;
  }
  return out;
}

/** One draw of a design: the champion's squared errors, and each challenger's (a row of seeds each). */
export interface Losses {
  readonly champion: Float64Array;
  readonly challengers: readonly (readonly Float64Array[])[];
}

export interface Design {
  readonly name: string;
  readonly docs: string;
  /** `null`: no promotion is right. `worse`: neither, and harm may be found. `power`: promotion is right. */
  readonly kind: 'null' | 'worse' | 'power';
  /** True loss reduction, share of the label's variance. */
  readonly reduction: number;
  /** Fixed samples only: a trial has one served seed. */
  readonly only?: 'fixed';
  losses(world: World, noise: Float64Array): Losses;
}

type Forecast = (t: number) => number;

function squaredErrors(label: Float64Array, part: Forecast, forecast: Forecast): Float64Array {
  const out = new Float64Array(label.length);
  for (let t = 0; t < out.length; t++) out[t] = (label[t]! + part(t) - forecast(t)) ** 2;
  return out;
}

const s = FORECAST_SD;

/** Both see the signal through noise of their own: the share of it that is worth using is one half. */
const sees =
  ({ known }: World, noise: Float64Array): Forecast =>
  (t) =>
    (s * (known[t]! + noise[t]!)) / 2;

/** One seed of a model: its seeds share the noise `common` to the degree of SEED_CORRELATION. */
function seedOf({ known }: World, common: Float64Array, fresh: Float64Array): Forecast {
  const own = Math.sqrt(1 - SEED_CORRELATION ** 2);
  return (t) => (s * (known[t]! + SEED_CORRELATION * common[t]! + own * fresh[t]!)) / 2;
}

const nulls: readonly Design[] = [
  {
    name: 'N1',
    docs: 'both useless, of equal variance',
    kind: 'null',
    reduction: 0,
    losses({ championNoise, challengerNoise }, label) {
      const of = (noise: Float64Array): Float64Array =>
        squaredErrors(
          label,
          () => 0,
          (t) => s * noise[t]!,
        );
      return { champion: of(championNoise), challengers: [[of(challengerNoise[0]!)]] };
    },
  },
  {
    name: 'N2',
    docs: 'both see the same signal, each through noise of its own',
    kind: 'null',
    reduction: 0,
    losses: (world, label) => sameSignal(world, label, 1),
  },
  {
    name: 'N3',
    docs: 'champion predicts zero; what the challenger adds costs as much as it brings',
    kind: 'null',
    reduction: 0,
    losses({ challengerNoise }, label) {
      const u = challengerNoise[0]!;
      const part: Forecast = (t) => (s / 2) * u[t]!;
      return {
        champion: squaredErrors(label, part, () => 0),
        challengers: [[squaredErrors(label, part, (t) => s * u[t]!)]],
      };
    },
  },
  {
    name: 'N4',
    docs: 'two seeds of one model (correlation .8)',
    kind: 'null',
    reduction: 0,
    losses: (world, label) => seeds(world, label, 1),
  },
  {
    name: 'N4x3',
    docs: 'as N4, the challenger with three seeds (the variance over seeds in the test)',
    kind: 'null',
    only: 'fixed',
    reduction: 0,
    losses: (world, label) => seeds(world, label, SEEDS),
  },
  {
    name: 'N5',
    docs: `${CHALLENGERS_IN_A_ROW} challengers as N2 in a row against one champion; any promotion counts`,
    kind: 'null',
    reduction: 0,
    losses: (world, label) => sameSignal(world, label, CHALLENGERS_IN_A_ROW),
  },
];

function sameSignal(world: World, label: Float64Array, challengers: number): Losses {
  const part: Forecast = (t) => s * world.known[t]!;
  const of = (noise: Float64Array): Float64Array => squaredErrors(label, part, sees(world, noise));
  return {
    champion: of(world.championNoise),
    challengers: world.challengerNoise.slice(0, challengers).map((noise) => [of(noise)]),
  };
}

function seeds(world: World, label: Float64Array, count: number): Losses {
  const part: Forecast = (t) => s * world.known[t]!;
  return {
    champion: squaredErrors(label, part, sees(world, world.championNoise)),
    challengers: [
      world.challengerNoise
        .slice(0, count)
        .map((noise) => squaredErrors(label, part, seedOf(world, world.championNoise, noise))),
    ],
  };
}

/** One of the two models of N2 sees `share` of the label's variance more. */
function better(name: string, share: number, who: 'champion' | 'challenger'): Design {
  const size = Math.sqrt(share);
  return {
    name,
    docs: `as N2, but the ${who} sees a signal of ${100 * share} % of the label's variance more`,
    kind: who === 'champion' ? 'worse' : 'power',
    reduction: who === 'champion' ? -share : share,
    losses(world, label) {
      const { known, extra, championNoise, challengerNoise } = world;
      const part: Forecast = (t) => s * known[t]! + size * extra[t]!;
      const of = (noise: Float64Array, more: number): Float64Array => {
        const base = sees(world, noise);
        return squaredErrors(label, part, (t) => base(t) + more * extra[t]!);
      };
      return {
        champion: of(championNoise, who === 'champion' ? size : 0),
        challengers: [[of(challengerNoise[0]!, who === 'challenger' ? size : 0)]],
      };
    },
  };
}

/** As P2 and so on with three seeds of the challenger, which see the extra signal alike. */
function betterSeeds(name: string, share: number): Design {
  const size = Math.sqrt(share);
  return {
    name,
    docs: `as P${100 * share}, the challenger with three seeds (correlation .8 among them)`,
    kind: 'power',
    reduction: share,
    only: 'fixed',
    losses(world, label) {
      const { known, extra, championNoise, challengerNoise } = world;
      const part: Forecast = (t) => s * known[t]! + size * extra[t]!;
      const seed = (fresh: Float64Array): Float64Array => {
        const base = seedOf(world, challengerNoise.at(-1)!, fresh);
        return squaredErrors(label, part, (t) => base(t) + size * extra[t]!);
      };
      return {
        champion: squaredErrors(label, part, sees(world, championNoise)),
        challengers: [challengerNoise.slice(0, SEEDS).map(seed)],
      };
    },
  };
}

export const designs: readonly Design[] = [
  ...nulls,
  better('N6', 0.02, 'champion'),
  better('P2', 0.02, 'challenger'),
  better('P5', 0.05, 'challenger'),
  better('P10', 0.1, 'challenger'),
  betterSeeds('P2x3', 0.02),
  betterSeeds('P5x3', 0.05),
];
