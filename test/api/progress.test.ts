import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ProgressEvent } from '../../api/cli/events.ts';
import { duration, ProgressView } from '../../api/cli/progress.ts';

const event = (change: Partial<ProgressEvent>): ProgressEvent => ({
  seq: '1',
  at: '2026-11-21T00:00:00Z',
  kind: 'stage',
  stage: null,
  model: null,
  seed: null,
  payload: {},
  ...change,
});

it('progress lines say what happened, for a person', () => {
  const view = new ProgressView();
  const lines: [Partial<ProgressEvent>, string][] = [
    [
      {
        stage: 'collect',
        payload: {
          instrument: '^GSPC',
          rows: 5031,
          firstBar: '1999-01-04T00:00:00.000Z',
          lastBar: '2018-12-31T00:00:00.000Z',
          deliveredBy: 'index-daily',
          cached: true,
          sources: [{ dataset: 'index-daily' }],
        },
      },
      'collect: ^GSPC: 5031 bars, 1999-01-04 to 2018-12-31, from index-daily (from the cache)',
    ],
    [
      {
        stage: 'features',
        model: 'm',
        payload: {
          samples: 12,
          split: {
            test: { rows: 2, from: '2001-02-01T00:00:00.000Z', to: '2001-02-02T00:00:00.000Z' },
            train: { rows: 10, from: '2001-01-02T00:00:00.000Z', to: '2001-01-16T00:00:00.000Z' },
          },
          cached: false,
        },
      },
      'm: features: 12 samples: train 10 (2001-01-02 to 2001-01-16), test 2 (2001-02-01 to 2001-02-02)',
    ],
    [
      { stage: 'open', payload: { models: ['m-a', 'm-b'], seeds: [1, 2] } },
      'open: trains m-a, m-b, seeds 1, 2',
    ],
    [
      {
        stage: 'collect',
        payload: {
          instrument: 'X',
          rows: 2,
          firstBar: '2024-01-01T05:00:00.000Z',
          lastBar: '2024-01-01T06:00:00.000Z',
          deliveredBy: `upload:${'ab'.repeat(32)}`,
        },
      },
      'collect: X: 2 bars, 2024-01-01T05:00:00.000Z to 2024-01-01T06:00:00.000Z, from upload:abababababab',
    ],
    [
      { stage: 'validate', payload: { passed: false, reasons: ['long'], scores: { A: 0.6976 } } },
      'validate: the bars do NOT pass: quality A 0.698',
    ],
    [
      { stage: 'package', model: 'm', payload: { version: 3, difference: 2.38e-7 } },
      'm: package: version 3 is signed; ONNX gives what was trained to 2e-7',
    ],
    [
      {
        stage: 'collect',
        payload: {
          ...{ instrument: 'X', rows: 2, firstBar: '2024-01-01', lastBar: '2024-01-02' },
          deliveredBy: 'folder',
          sources: [
            { dataset: 'exchange', error: 'away', notes: [] },
            { dataset: 'folder', notes: ['9 rows left out'] },
          ],
        },
      },
      'collect: X: 2 bars, 2024-01-01 to 2024-01-02, from folder; exchange: away',
    ],
    [
      { stage: 'failed', model: 'm-b', payload: { reason: 'no bars of B' } },
      'm-b: failed: no bars of B',
    ],
    [
      {
        kind: 'done',
        payload: {
          ...{ status: 'completed', message: '1 of 2 models failed: m-b: no bars of B.' },
          versions: [{ model: 'm-a', version: 3, promoted: true, verdict: 'Good.' }],
          failed: [{ model: 'm-b', reason: 'no bars of B' }],
        },
      },
      'completed: m-a version 3 promoted, m-b failed',
    ],
    [
      { stage: 'other', payload: { count: 3, note: 'x', ok: true } },
      'other: count 3, note x, ok yes',
    ],
    [
      {
        kind: 'finding',
        stage: 'validate',
        payload: { instrument: '^GSPC', severity: 'warn', message: '3 flat bars', count: 3 },
      },
      'validate: warn ^GSPC: 3 flat bars',
    ],
    [
      {
        kind: 'verdict',
        stage: 'decide',
        model: 'm',
        payload: { verdict: 'accept', reasons: ['first champion'] },
      },
      'm: decide: accept: first champion',
    ],
    [{ kind: 'done', payload: { status: 'failed', message: 'no bars' } }, 'failed'],
    [{ kind: 'done', payload: { status: 'completed' } }, 'completed'],
    [
      {
        kind: 'done',
        payload: {
          status: 'completed',
          message: 'Better than the naive baseline. No better than the naive baseline.',
          versions: [
            { model: 'm-a', version: 1, promoted: true, verdict: 'Better than naive.' },
            {
              model: 'm-b',
              version: 7,
              promoted: false,
              verdict: 'No better than the naive baseline.',
            },
          ],
        },
      },
      'completed: m-a version 1 promoted, m-b version 7 not promoted',
    ],
    [
      { kind: 'done', payload: { status: 'skipped', message: 'version 2 fits', versions: [] } },
      'skipped: version 2 fits',
    ],
    [{ stage: 'register', payload: { packageDigest: 'abc' } }, 'register: done'],
  ];
  for (const [change, line] of lines) assert.equal(view.lineOf(event(change))?.line, line);
});

it('the time that is left follows the pace of the fit it belongs to', () => {
  const view = new ProgressView();
  const epoch = (n: number, seed: number, seconds: number): string =>
    view.lineOf(
      event({ kind: 'epoch', seed, payload: { epoch: n, epochs: 10, loss: 1, seconds } }),
    )!.line;
  assert.match(epoch(1, 1, 10), /at most 1m30s left/);
  assert.match(epoch(2, 2, 1), /at most 8s left/);
  assert.match(epoch(2, 1, 10), /at most 1m20s left/);
  assert.equal(duration(59.6), '1m00s');
  assert.equal(duration(3661), '1h01m');
});

it('folds side by side: each has a line of its own, in the word of its family', () => {
  const view = new ProgressView();
  const model = 'm';
  const parts = {
    train: { rows: 10, from: '2001-01-02', to: '2001-01-16' },
    test: { rows: 2, from: '2001-02-01', to: '2001-02-02' },
  };
  const features = { samples: 12, split: parts, folds: 3 };
  assert.equal(
    view.lineOf(event({ stage: 'features', model, payload: features }))!.line,
    'm: features: 12 samples, 3 folds, the newest: train 10 (2001-01-02 to 2001-01-16), test 2 (2001-02-01 to 2001-02-02)',
  );
  const told = (stage: string, payload: ProgressEvent['payload'], seed = 1) =>
    view.lineOf(
      event({ kind: 'epoch', stage, model, seed, payload: { epochs: 9, loss: 1, ...payload } }),
    )!;
  const trees = { family: 'lightgbm', validLoss: 1 };
  const second = told('fold', { ...trees, fold: 2, epoch: 4 });
  assert.equal(second.line, 'm lightgbm seed 1 fold 2/3: round 4/9 loss 1.000, valid 1.000');
  const newest = told('fit', { ...trees, epoch: 9, seconds: 3 });
  assert.equal(newest.line, 'm lightgbm seed 1 fold 3/3: round 9/9 loss 1.000, valid 1.000');
  assert.match(told('refit', { ...trees, epoch: 1 }).line, /^m lightgbm seed 1: round 1\/9 of the/);
  const words = { 'lstm-multi-horizon': 'epoch', xgboost: 'round', ridge: 'step' };
  for (const [family, word] of Object.entries(words)) {
    assert.match(told('fold', { family, fold: 1, epoch: 1 }, 0).line, RegExp(`1/3: ${word} 1/9`));
  }
  const keys = [1, 2].map((fold) => told('fold', { ...trees, fold, epoch: 5 }).live);
  assert.ok(newest.live! > keys[1]!, 'the newest fold stands last');
  assert.equal(keys[1], second.live, 'the next round takes the place of the one before');
  assert.equal(
    new Set([...keys, newest.live, told('fit', { ...trees, epoch: 1 }, 2).live]).size,
    4,
  );
  const cached = event({
    ...{ kind: 'note', stage: 'fold', model, seed: 1 },
    payload: { family: 'lightgbm', fold: 2, cached: true, epochs: 30, bestValidLoss: 0.5 },
  });
  assert.equal(
    view.lineOf(cached)!.line,
    'm seed 1 fold 2/3: fit: lightgbm, 30 rounds, valid 0.5000 (from the cache)',
  );
});

it('epochs of a fit from the cache show nothing and set no pace; the line of the fit says it', () => {
  const view = new ProgressView();
  const payload = { epoch: 3, epochs: 100, loss: 1, validLoss: 1, seconds: 30, family: 'lstm' };
  const cached = event({ kind: 'epoch', seed: 1, payload: { ...payload, cached: true } });
  assert.equal(view.lineOf(cached), undefined);
  const trained = event({ kind: 'epoch', seed: 1, payload: { ...payload, epoch: 99, seconds: 1 } });
  assert.match(view.lineOf(trained)!.line, /at most 1s left/);
  const note = event({
    kind: 'note',
    stage: 'fit',
    model: 'm',
    seed: 1,
    payload: { family: 'lstm', cached: true, epochs: 3 },
  });
  assert.equal(view.lineOf(note)!.line, 'm seed 1: fit: lstm, 3 epochs, valid - (from the cache)');
  assert.equal(
    view.lineOf({ ...note, stage: 'refit' })!.line,
    'm seed 1: refit: lstm once more on the rows of the refit, 3 epochs (from the cache)',
  );
});

it('epochs of a refit say so, have no validation loss, and a pace of their own', () => {
  const view = new ProgressView();
  const told = (stage: string, payload: ProgressEvent['payload']): string =>
    view.lineOf(event({ kind: 'epoch', stage, seed: 1, payload }))!.line;
  told('fit', { epoch: 1, epochs: 100, loss: 1, validLoss: 1, seconds: 30 });
  assert.equal(
    told('refit', { epoch: 10, epochs: 12, loss: 1, seconds: 2 }),
    'seed 1: epoch 10/12 of the refit loss 1.000, at most 4s left',
  );
});

it('a search tells its trials, the best so far and the time that is left', () => {
  const view = new ProgressView();
  const about = { search: 'tpe', of: 30, rungs: 4 };
  const told = (at: string, payload: object): string =>
    view.lineOf(
      event({ at, kind: 'note', stage: 'search', model: 'm', payload: { ...about, ...payload } }),
    )!.line;
  const space = [
    { kind: 'number', path: 'learningRate', low: 1e-4, high: 0.01, scale: 'log' },
    { kind: 'choice', path: 'units', choices: [[8], [16, 16]] },
  ];
  assert.equal(
    told('2026-11-21T00:00:00Z', { space }),
    'm: search: tpe over learningRate 0.0001 to 0.01 (log), units of [8], [16,16]; 30 trials at most',
  );
  const best = { trial: 0, validLoss: 0.98 };
  assert.equal(
    told('2026-11-21T00:01:00Z', {
      trial: 0,
      state: 'completed',
      rung: 4,
      validLoss: 0.98,
      ended: 1,
      best,
    }),
    'm: search: trial 0 completed after rung 4/4, valid 0.98000; best 0.98000 (trial 0); 1 of 30 trials ended',
  );
  assert.equal(
    told('2026-11-21T00:02:00Z', {
      trial: 1,
      state: 'pruned',
      rung: 1,
      validLoss: 1.2,
      ended: 2,
      best,
    }),
    'm: search: trial 1 pruned after rung 1/4, valid 1.2000; best 0.98000 (trial 0); 2 of 30 trials ended, at most 28m00s left',
  );
  assert.match(
    told('2026-11-21T00:02:00Z', {
      trial: 2,
      state: 'failed',
      rung: 0,
      error: 'NaN',
      ended: 3,
      best,
    }),
    /trial 2 failed \(NaN\); best/,
  );
  assert.equal(
    told('2026-11-21T00:09:00Z', {
      ...{ trials: 30, pruned: 12, failed: 1, stoppedBy: 'trials' },
      best: { trial: 7, validLoss: 0.97, point: { learningRate: 0.001, units: [8] } },
    }),
    'm: search: 30 trials, 12 pruned, 1 failed; trial 7 is the best, valid 0.97000: learningRate 0.001, units [8]',
  );
});
