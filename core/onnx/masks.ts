import type { Graph } from './graph.ts';
import { cast, mul } from './layers.ts';
import { check } from './outputs.ts';

/** One dropout mask of a sample: how many units, and the share of them that is dropped. */
export interface Mask {
  readonly width: number;
  readonly rate: number;
}

/** Numbers that a sample's masks take; throws `onnx.shape` for a rate that is none. */
export function noiseWidthOf(plan: readonly Mask[]): number {
  for (const { rate } of plan) check(rate >= 0 && rate < 1, `dropout rate ${rate}`);
  return plan.reduce((sum, mask) => sum + mask.width, 0);
}

/** noise [S, sum of widths], uniform in [0, 1) -> masks [S, width]: (noise >= rate) / (1 - rate). */
export function masksFromNoise(g: Graph, noise: string, plan: readonly Mask[]): string[] {
  const widths = g.ints(...plan.map((mask) => mask.width));
  const parts = g.opMany('Split', [noise, widths], plan.length, { axis: { int: 1 } });
  return plan.map(({ rate }, i) => {
    const kept = g.op('GreaterOrEqual', [parts[i]!, g.scalar(rate)]);
    return mul(g, cast(g, kept, 'float32'), g.scalar(1 / (1 - rate)));
  });
}
