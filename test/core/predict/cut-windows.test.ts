import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cutterOf } from '../../../core/predict/cut-windows.ts';
import {
  forecastRange,
  windowShape,
  type CutWindows,
  type RangeAnswer,
  type WindowsRunner,
} from '../../../core/predict/index.ts';
import { windowValues } from '../../../core/predict/predict.ts';
import { seeded } from '../../support/made-bars.ts';
import { bars, calendar, code, openMade, releaseAll } from '../../support/opened-package.ts';

after(releaseAll);
const pkg = await openMade();
const shape = windowShape(pkg.verified);

function madeWindows(count: number): CutWindows {
  const random = seeded(7);
  const { lookback, features } = shape;
  const rows = Float64Array.from({ length: (lookback + 2 * count) * features }, random);
  // Some rows are skipped, one is asked twice.
  const ends = Int32Array.from(
    { length: count },
    (_, i) => lookback - 1 + 2 * i - (i % 3 > 1 ? 2 : 0),
  );
  return { rows, ends, instrument: 0 };
}

describe('windows that are cut from one matrix', () => {
  it('have the values of each alone, bit for bit, however many there are', async () => {
    const cut = cutterOf(pkg.session, shape);
    for (const count of [1, 15, 16, 17, 40, 3]) {
      const windows = madeWindows(count);
      const values = await cut(windows);
      const width = values.length / count;
      for (const [i, end] of windows.ends.entries()) {
        const { lookback, features } = shape;
        const own = windows.rows.slice((end + 1 - lookback) * features, (end + 1) * features);
        const window = { instrument: '^GSPC', values: own, lastClose: 1, asOf: 0, staleBars: 0 };
        const alone = await windowValues(pkg, [{ ...window, volatility: undefined }]);
        assert.deepEqual(values.subarray(i * width, (i + 1) * width), alone, `${i} of ${count}`);
      }
    }
  });

  it('do not mix where two are asked at once', async () => {
    const cut = cutterOf(pkg.session, shape);
    const [first, second] = [madeWindows(20), madeWindows(33)];
    second.rows.reverse();
    const alone = [await cut(first), await cut(second)];
    assert.deepEqual(await Promise.all([cut(first), cut(second)]), alone);
  });

  it('are refused where they do not lie inside it', async () => {
    const cut = cutterOf(pkg.session, shape);
    const windows = madeWindows(4);
    const last = windows.rows.length / shape.features - 1;
    await cut({ ...windows, ends: Int32Array.of(shape.lookback - 1, last) });
    for (const end of [-1, shape.lookback - 2, last + 1]) {
      const ends = Int32Array.of(last, end);
      await assert.rejects(cut({ ...windows, ends }), code('onnx.input'), String(end));
    }
  });
});

describe('a range whose graph runs elsewhere', () => {
  const open = calendar.between(bars.openTime[0]!, bars.openTime.at(-1)!, '1d');
  const asOf = Float64Array.from(open, (time) => calendar.closeTime(time, '1d'));

  async function collect(elsewhere?: WindowsRunner): Promise<RangeAnswer[]> {
    const answers: RangeAnswer[] = [];
    for await (const chunk of forecastRange(pkg, bars, { asOf }, elsewhere)) {
      answers.push(...chunk);
    }
    return answers;
  }
  /** What another thread would do, later. */
  function later(of: (asked: number) => 'runs' | 'fails' | 'is busy') {
    const cut = cutterOf(pkg.session, shape);
    const done = { begun: 0, ended: 0 };
    const run: WindowsRunner['run'] = (windows) => {
      const what = of(done.begun);
      if (what === 'is busy') return undefined;
      done.begun++;
      return (async () => {
        await pause(2);
        done.ended++;
        if (what === 'fails') throw new Error('the thread is gone');
        return cut(windows);
      })();
    };
    return { done, runner: { run, release: () => undefined } };
  }

  it('has the same answers, also where that fails or is busy now and then', async () => {
    const here = await collect();
    const { runner, done } = later(() => 'runs');
    assert.deepEqual(await collect(runner), here);
    assert.ok(done.begun > 10);
    let n = 0;
    const mixed = later(() => (['runs', 'fails', 'is busy'] as const)[n++ % 3]!);
    assert.deepEqual(await collect(mixed.runner), here);
    assert.ok(mixed.done.begun > 5);
  });

  it('has the next windows under way while answers are read, and none once the reader left', async () => {
    const { runner, done } = later(() => 'runs');
    const answers = forecastRange(pkg, bars, { asOf: asOf.subarray(-640) }, runner);
    for (let n = 1; n <= 3; n++) {
      await answers.next();
      assert.deepEqual(done, { begun: n + 1, ended: n });
    }
    await answers.return();
    assert.deepEqual(done, { begun: 4, ended: 4 });
  });
});
