/** The catalogue of drift tests: a new one is a file with `defineDriftTest` and a line here. */
import { chiSquare } from './chi-square.ts';
import type { ColumnKind, DriftTest } from './drift-test.ts';
import { ksDistance } from './ks-distance.ts';
import { psi } from './psi.ts';
import { wasserstein } from './wasserstein.ts';

export const driftTests: readonly DriftTest[] = [psi, ksDistance, wasserstein, chiSquare];

/** The tests for columns of one kind. */
export const driftTestsOf = (kind: ColumnKind): readonly DriftTest[] =>
  driftTests.filter((test) => test.kind === kind);
