import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Ledger } from './crash-ledger.ts';
import type { CrashPoint } from './crash-points.ts';
import { openCrashProduct, type CrashProduct } from './crash-product.ts';
import {
  crashCount,
  crashesOf,
  interrupted,
  nameOf,
  undisturbed,
  type Life,
} from './crash-rounds.ts';
import { productMissing } from './product.ts';
import { rounds } from './rounds.ts';

export interface CrashSuite {
  readonly title: string;
  /** Of the first version. */
  readonly spec: object;
  readonly points: readonly CrashPoint[];
  /** Crashes of the reduced run; the full one has every point, moment and victim. */
  readonly reduced: number;
  /** Before the first round. */
  readonly prepare?: (opened: CrashProduct) => Promise<void>;
  readonly live: (opened: CrashProduct, round: number) => Promise<void>;
  /** What an undisturbed round adds, at least these; 0: nothing of it. */
  readonly adds: Ledger;
}

/** RATCHET_TEST_SEED repeats a run's choice of crashes. */
const SEED = Number(process.env['RATCHET_TEST_SEED'] ?? Date.now() % 100_000);

export function describeCrashes(suite: CrashSuite): void {
  const { points } = suite;
  describe(suite.title, { skip: productMissing }, () => {
    let opened: CrashProduct;
    let life: Life;
    let expected: Ledger;
    before(async () => {
      opened = await openCrashProduct(suite.spec);
      await suite.prepare?.(opened);
      let round = 0;
      life = { ...opened, live: () => suite.live(opened, round++) };
    });
    after(() => opened.end());

    it('undisturbed, it has one outcome', async () => {
      expected = await undisturbed(life);
      const found = Object.keys(suite.adds).map((name) => [name, expected[name] ?? 0]);
      assert.deepEqual(Object.fromEntries(found), suite.adds);
    });

    const crashes = crashesOf(points, rounds(suite.reduced, crashCount(points)), SEED);
    for (const [k, crash] of crashes.entries()) {
      it(`${k + 1} of ${crashes.length} (seed ${SEED}): ${nameOf(crash)}`, () =>
        interrupted(life, crash, expected));
    }
  });
}
