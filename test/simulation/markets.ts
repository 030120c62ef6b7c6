/**
 * Returns of protocol P1 (STATISTICS 4): four markets whose volatility moves in four ways, each of unit variance and
 * mean zero, and the persistent signals that forecasts are made of.
 */
import { seededUniform } from '../../core/seeded-uniform.ts';
import { sp500 } from '../support/example-bars.ts';

/** Draws of one series: uniform, standard normal (polar method), Student t (Bailey 1994). */
export interface Draws {
  readonly uniform: () => number;
  readonly normal: () => number;
  /** Unit variance; df > 2. */
  readonly studentT: (df: number) => number;
}

export function drawsOf(seed: number): Draws {
  const uniform = seededUniform(seed);
  let spare = NaN;
  const inDisc = (): { u: number; v: number; w: number } => {
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const w = u * u + v * v;
      if (w > 0 && w < 1) return { u, v, w };
    }
  };
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = NaN;
      return kept;
    }
    const { u, v, w } = inDisc();
    const scale = Math.sqrt((-2 * Math.log(w)) / w);
    spare = v * scale;
    return u * scale;
  };
  const studentT = (df: number): number => {
    const { u, w } = inDisc();
    const t = u * Math.sqrt((df * (w ** (-2 / df) - 1)) / w);
    return t * Math.sqrt((df - 2) / df);
  };
  return { uniform, normal, studentT };
}

export interface Market {
  readonly name: string;
  readonly docs: string;
  returns(draws: Draws, rows: number): Float64Array;
}

const BURN_IN = 500;

const garch: Market = {
  name: 'garch',
  docs: 'GARCH(1,1), a = .08, b = .90, t with 5 degrees of freedom',
  returns({ studentT }, rows) {
    const out = new Float64Array(rows);
    let variance = 1;
    for (let t = -BURN_IN; t < rows; t++) {
      const r = Math.sqrt(variance) * studentT(5);
      if (t >= 0) out[t] = r;
      variance = 0.02 + 0.08 * r * r + 0.9 * variance;
    }
    return out;
  },
};

const BLOCK = 60;
let standardised: Float64Array | undefined;

/** Log returns of the bundled index, minus their mean, over their SD. */
function indexReturns(): Float64Array {
  if (standardised) return standardised;
  const { close } = sp500();
  const r = Float64Array.from({ length: close.length - 1 }, (_, t) =>
    Math.log(close[t + 1]! / close[t]!),
  );
  const mean = r.reduce((sum, x) => sum + x, 0) / r.length;
  const sd = Math.sqrt(r.reduce((sum, x) => sum + (x - mean) ** 2, 0) / r.length);
  return (standardised = r.map((x) => (x - mean) / sd));
}

const index: Market = {
  name: 'index',
  docs: `circular block bootstrap (${BLOCK} bars) of the bundled ^GSPC returns 1999-2018`,
  returns({ uniform }, rows) {
    const source = indexReturns();
    const out = new Float64Array(rows);
    for (let start = 0; start < rows; start += BLOCK) {
      const from = Math.floor(uniform() * source.length);
      for (let i = 0; i < BLOCK && start + i < rows; i++) {
        out[start + i] = source[(from + i) % source.length]!;
      }
    }
    return out;
  },
};

const STAY_BARS = 100;
const TURBULENT = 3;

const regimes: Market = {
  name: 'regimes',
  docs: `normal, volatility x${TURBULENT} in every second regime, mean stay ${STAY_BARS} bars`,
  returns({ uniform, normal }, rows) {
    const out = new Float64Array(rows);
    const unit = Math.sqrt((1 + TURBULENT ** 2) / 2);
    let turbulent = uniform() < 0.5;
    for (let t = 0; t < rows; t++) {
      if (uniform() < 1 / STAY_BARS) turbulent = !turbulent;
      out[t] = (normal() * (turbulent ? TURBULENT : 1)) / unit;
    }
    return out;
  },
};

const DAY_HOURS = 24;
const SWING = 0.6;

const hourly: Market = {
  name: 'hourly',
  docs: `t with 4 degrees of freedom, volatility 1 + ${SWING} sin over a day of ${DAY_HOURS} bars`,
  returns({ uniform, studentT }, rows) {
    const unit = Math.sqrt(1 + SWING ** 2 / 2);
    const hour = Math.floor(uniform() * DAY_HOURS);
    return Float64Array.from({ length: rows }, (_, t) => {
      const volatility = 1 + SWING * Math.sin((2 * Math.PI * (t + hour)) / DAY_HOURS);
      return (volatility * studentT(4)) / unit;
    });
  },
};

export const markets: readonly Market[] = [garch, index, regimes, hourly];

const PERSISTENCE = 0.95;

/** AR(.95) of unit variance, from its stationary law on. */
export function signal({ normal }: Draws, rows: number): Float64Array {
  const out = new Float64Array(rows);
  const noise = Math.sqrt(1 - PERSISTENCE ** 2);
  let x = normal();
  for (let t = 0; t < rows; t++) {
    out[t] = x;
    x = PERSISTENCE * x + noise * normal();
  }
  return out;
}
