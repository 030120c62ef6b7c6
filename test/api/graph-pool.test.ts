import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { GraphPool } from '../../api/serving/graph-pool.ts';
import { RatchetError } from '../../core/errors.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { cutterOf, type CutWindows, type WindowsRunner } from '../../core/predict/cut-windows.ts';
import { windowShape } from '../../core/predict/opened.ts';
import { verifyPackage } from '../../core/packages/verify.ts';
import { seeded } from '../support/made-bars.ts';
import { expectedOf, makePackage, testKeys } from '../support/model-package.ts';

/** Once there is a thread for it. */
async function begun(runner: WindowsRunner, windows: CutWindows) {
  for (;;) {
    const running = runner.run(windows);
    if (running) return { running };
    await pause(2);
  }
}

/** A pool in which the graph of a package is open for sampling, and a window to sample. */
async function sampler() {
  const built = await makePackage();
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  const { noiseWidth } = verified.preprocessing.confidence;
  const pool = new GraphPool();
  const shape = { ...windowShape(verified), noiseWidth };
  const runner = await pool.open(verified.monteCarlo!, shape);
  const window = new Float64Array(shape.lookback * shape.features).fill(0.1);
  return { verified, pool, shape, runner, window };
}

describe('threads that run graphs', () => {
  it('draw what somebody waits for before what nobody does, and the same numbers for both', async () => {
    const { pool, runner, window } = await sampler();
    try {
      const order: string[] = [];
      const draw = async (name: string, background: boolean): Promise<Float64Array> => {
        const request = { window, samples: 20, noiseKey: 'key', background };
        const values = await runner.sample(request);
        order.push(name);
        return values;
      };
      const drawn = await Promise.all([
        ...['b1', 'b2', 'b3', 'b4'].map((name) => draw(name, true)),
        ...['f1', 'f2', 'f3'].map((name) => draw(name, false)),
      ]);
      // The first one found the thread free.
      assert.deepEqual(order, ['b1', 'f1', 'f2', 'f3', 'b2', 'b3', 'b4']);
      for (const values of drawn) assert.deepEqual(values, drawn[0]);
    } finally {
      await pool.close();
    }
  });

  it('refuse what waits when they are closed', async () => {
    const { pool, runner, window } = await sampler();
    const waiting = [false, true, true].map((background) =>
      runner.sample({ window, samples: 20, noiseKey: 'key', background }),
    );
    const ended = Promise.allSettled(waiting);
    await pool.close();
    for (const one of (await ended).slice(1)) {
      assert.ok(one.status === 'rejected' && one.reason instanceof RatchetError);
      assert.equal(one.reason.code, 'onnx.closed');
    }
  });

  it('draw the same numbers in whichever thread, and close while another one begins', async () => {
    const { verified, pool, shape, runner, window } = await sampler();
    const sample = () => runner.sample({ window, samples: 20, noiseKey: 'key' });
    const first = await sample();
    // Long enough for a second thread to begin, and to take its share.
    const until = performance.now() + 4_000;
    while (performance.now() < until) {
      for (const values of await Promise.all([sample(), sample(), sample()])) {
        assert.deepEqual(values, first);
      }
    }
    const gone = await pool.open(verified.monteCarlo!, shape);
    await gone.release();
    await assert.rejects(gone.sample({ window, samples: 20, noiseKey: 'key' }), {
      code: 'onnx.run',
    });
    await pool.close();
    await assert.rejects(sample(), { code: 'onnx.closed' });
    const young = new GraphPool();
    const other = await young.open(verified.monteCarlo!, shape);
    await Promise.all([1, 2, 3].map(() => other.sample({ window, samples: 20, noiseKey: 'key' })));
    await young.close();
  });

  it('compute windows as this thread does, but not while somebody waits for samples', async () => {
    const built = await makePackage();
    const verified = verifyPackage(built.files, testKeys, expectedOf(built));
    const shape = windowShape(verified);
    const { noiseWidth } = verified.preprocessing.confidence;
    const pool = new GraphPool();
    const session = await openSession(verified.model);
    try {
      const random = seeded(3);
      const rows = Float64Array.from({ length: 100 * shape.features }, random);
      const ends = Int32Array.from({ length: 40 }, (_, i) => 100 - 40 + i);
      const windows = { rows, ends, instrument: 0 };
      const runner = pool.openWindows(verified.model, shape);
      // Its thread has yet to begin.
      assert.equal(runner.run(windows), undefined);
      const sampler = await pool.open(verified.monteCarlo!, { ...shape, noiseWidth });
      const values = await begun(runner, windows);
      const others = { ...windows, rows: rows.toReversed() };
      const cut = cutterOf(session, shape);
      assert.deepEqual(await runner.run(others), await cut(others));
      assert.deepEqual(await values.running, await cut(windows));
      const window = rows.slice(0, shape.lookback * shape.features);
      const samples = sampler.sample({ window, samples: 20, noiseKey: 'key' });
      assert.equal(runner.run(windows), undefined);
      await samples;
      await assert.rejects(runner.run({ ...windows, ends: Int32Array.of(0) })!, {
        code: 'onnx.run',
      });
      runner.release();
      const again = pool.openWindows(verified.model, shape);
      await sampler.sample({ window, samples: 1, noiseKey: 'key' });
      assert.equal(runner.run(windows), undefined);
      assert.deepEqual(await (await begun(again, windows)).running, await values.running);
    } finally {
      await session.release();
      await pool.close();
    }
    const closed = pool.openWindows(verified.model, shape);
    assert.equal(
      closed.run({ rows: new Float64Array(0), ends: new Int32Array(0), instrument: 0 }),
      undefined,
    );
    closed.release();
  });
});
