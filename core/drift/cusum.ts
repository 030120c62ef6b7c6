/**
 * The sequential test of a model's losses: a one-sided CUSUM (Page 1954) of z = (u - mean0) / sd0.
 * Formula: S = max(0, S + clip(z) - k), alarm when S > c, then S = 0 and `cooldown` values are ignored.
 * The Page-Hinkley test against a fixed mean is the same statistic. Calibration: see calibrate.ts.
 */
import type { Calibration, CusumPoint, CusumState } from './schemas.ts';

export const startCusum = (): CusumState => ({
  s: 0,
  cooldown: 0,
  values: 0,
  alarms: 0,
  lastTime: null,
  lastAlarm: null,
});

/** One loss in SDs of the calibration, clipped: a single crash must not raise an alarm alone. */
export function standardised(
  u: number,
  { mean0, sd0, clip }: Pick<Calibration, 'mean0' | 'sd0' | 'clip'>,
): number {
  return Math.min(clip, Math.max(-clip, (u - mean0) / sd0));
}

export interface CusumStep {
  readonly state: CusumState;
  /** null where the value was not read: not finite, or known already. */
  readonly z: number | null;
  readonly alarm: boolean;
}

/**
 * The state after one more value (`u` normalised loss, `time` ms UTC of its decision). Pure and restartable: state in,
 * state out. A value at or before the last one read changes nothing, so that a repeated activity counts none twice;
 * a value that is not finite is skipped.
 */
export function stepCusum(
  state: CusumState,
  u: number,
  time: number,
  calibration: Calibration,
): CusumStep {
  const known = state.lastTime !== null && time <= Date.parse(state.lastTime);
  if (known || !Number.isFinite(u)) return { state, z: null, alarm: false };
  const z = standardised(u, calibration);
  const read = { ...state, values: state.values + 1, lastTime: new Date(time).toISOString() };
  if (state.cooldown > 0) {
    return { state: { ...read, s: 0, cooldown: state.cooldown - 1 }, z, alarm: false };
  }
  const s = Math.max(0, state.s + z - calibration.k);
  if (s <= calibration.c) return { state: { ...read, s }, z, alarm: false };
  const alarmed = {
    ...read,
    s: 0,
    cooldown: calibration.cooldown,
    alarms: state.alarms + 1,
    lastAlarm: read.lastTime,
  };
  return { state: alarmed, z, alarm: true };
}

export interface CusumRun {
  readonly state: CusumState;
  /** S at each value that was read; at an alarm the sum that raised it, before the reset. */
  readonly path: readonly CusumPoint[];
  /** ISO times of the alarms among these values. */
  readonly alarms: readonly string[];
}

/** All values in order of time, from a state on. */
export function runCusum(
  start: CusumState,
  { times, values }: { readonly times: Float64Array; readonly values: Float64Array },
  calibration: Calibration,
): CusumRun {
  const path: CusumPoint[] = [];
  let state = start;
  for (let i = 0; i < values.length; i++) {
    const step = stepCusum(state, values[i]!, times[i]!, calibration);
    if (step.z !== null) {
      const reached = step.alarm ? Math.max(0, state.s + step.z - calibration.k) : step.state.s;
      path.push({ time: step.state.lastTime!, s: reached, alarm: step.alarm });
    }
    state = step.state;
  }
  return { state, path, alarms: path.filter(({ alarm }) => alarm).map(({ time }) => time) };
}
