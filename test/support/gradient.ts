import assert from 'node:assert/strict';
import type { FlatLayout } from '../../core/models/network/layout.ts';
import { normalFrom, randomFor } from '../../core/models/random.ts';

interface GradientCheck {
  readonly layout: FlatLayout;
  readonly theta: Float32Array;
  /** What the network says its gradient is at theta. */
  readonly gradient: Float32Array;
  /** Length of the step to either side; the loss is a float32, so it must not be too small. */
  readonly epsilon: number;
  /** Largest difference as a share of the slope. */
  readonly tolerance: number;
}

/** The gradient of each parameter along a random direction is the slope that finite differences show there. */
export function assertGradientOf(
  lossAt: (theta: Float32Array) => number,
  { layout, theta, gradient, epsilon, tolerance }: GradientCheck,
): void {
  for (const { name, offset, size } of layout.parameters) {
    const direction = Float32Array.from({ length: size }, normalFrom(randomFor(7, offset)));
    const length = Math.hypot(...direction);
    const along = (scale: number): number => {
      const moved = theta.slice();
      for (let i = 0; i < size; i++) moved[offset + i]! += (scale / length) * direction[i]!;
      return lossAt(moved);
    };
    const numeric = ((along(epsilon) - along(-epsilon)) / (2 * epsilon)) * length;
    let analytic = 0;
    for (let i = 0; i < size; i++) analytic += gradient[offset + i]! * direction[i]!;
    // Where the slope is next to nothing only the noise of the loss is left to compare.
    const scale = Math.max(Math.abs(analytic), 0.02 * length);
    assert.ok(Math.abs(numeric - analytic) < tolerance * scale, `${name}: ${numeric}, ${analytic}`);
  }
}
