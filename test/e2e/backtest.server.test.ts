import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const data = { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2006-01-01' };
const experiment = {
  name: 'signals',
  model: 'signals',
  data: { ...data, to: '2014-12-31' },
  lookback: 1,
  label: { kind: 'forwardLogReturn', horizons: [5] },
  family: 'ridge',
  baselines: ['naive'],
  seeds: [1],
  confidence: { method: 'none' },
  refit: 'all',
};
const strategies = {
  model: { kind: 'model-signal', by: 'change', cuts: { buy: 0.0005, strongBuy: 0.002 } },
  cross: { kind: 'sma-cross', fast: 20, slow: 100 },
};

/** Folds of a backtest that train at the same time: `FOLDS_AT_ONCE` of workflows/backtest.ts, which runs in a sandbox only. */
const AT_ONCE = 4;

interface Row {
  readonly id: string;
  readonly status: string;
  readonly message: string;
  readonly files: readonly string[];
  readonly results: readonly {
    readonly strategy: string;
    readonly metrics: Readonly<Record<string, number | null>>;
    readonly finalEquity: number;
    readonly trades: number;
  }[];
}

describe('backtests', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct(['postgres', 'temporal', 's3', 'workers', 'api']);
    const { status, message } = await product.run(experiment);
    assert.equal(status, 'completed', message);
  });
  after(() => product.end());

  const start = async (spec: object): Promise<string> => {
    const { status, body, headers } = await product.request('POST', '/api/v1/backtests', spec);
    assert.equal(status, 202, JSON.stringify(body));
    assert.equal(headers.get('location'), `/api/v1/backtests/${String(body['id'])}`);
    return String(body['id']);
  };
  const endOf = (id: string): Promise<Row> =>
    product.until('the end of the backtest', async () => {
      const { body } = await product.request('GET', `/api/v1/backtests/${id}`);
      const over = !['queued', 'running'].includes(String(body['status']));
      return over ? (body as unknown as Row) : undefined;
    });
  const spec = {
    name: 'plain',
    data,
    period: { from: '2015-01-01', to: '2018-12-31' },
    model: { name: 'signals', version: 1 },
    strategies,
    paths: 100,
  };

  it('runs strategies on a registered version, the first of the spec first', async () => {
    const row = await endOf(await start(spec));
    assert.equal(row.status, 'completed', row.message);
    assert.deepEqual(
      row.results.map(({ strategy }) => strategy),
      ['model', 'cross'],
    );
    assert.match(row.message, /model made -?[\d.]+ % a year after costs, buy-and-hold/);
    assert.match(row.message, /hypothetical/);
    for (const { metrics, finalEquity, trades } of row.results) {
      assert.ok(finalEquity > 0 && trades > 0);
      assert.ok(Number.isFinite(metrics['sharpe']));
    }
  });

  it('marks what a model decided on bars that it had learnt from', async () => {
    const seen = { ...spec, name: 'seen', period: { from: '2012-01-01', to: '2015-06-30' } };
    const row = await endOf(await start(seen));
    assert.match(row.message, /^Not to be trusted, as version signals 1 had seen bars/);
    const clean = await endOf(await start({ ...spec, name: 'clean' }));
    assert.doesNotMatch(clean.message, /Not to be trusted/);
  });

  it('is found by its model, followed by its events, and cancelled', async () => {
    const id = await start({ ...spec, name: 'followed' });
    await endOf(id);
    const of = await product.request('GET', '/api/v1/ml-models/signals/backtest');
    assert.ok((of.body['items'] as Row[]).some((row) => row.id === id));
    const { body } = await product.request('GET', `/api/v1/backtests/${id}/events`);
    const kinds = (body['items'] as { kind: string }[]).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['plan', 'answers', 'result', 'result', 'done']);
    const stream = await fetch(`${product.url}/api/v1/backtests/${id}/events`, {
      headers: { authorization: `Bearer ${product.key}`, accept: 'text/event-stream' },
    });
    assert.match(await stream.text(), /event: done/);
    const cancelled = await product.request('POST', `/api/v1/backtests/${id}/cancel`);
    assert.deepEqual([cancelled.status, cancelled.body['code']], [409, 'backtest.ended']);
    // Each training takes long enough to be met while it runs.
    const hyperparameters = { rounds: 500, earlyStopping: { patience: 500 } };
    const trees = { ...foldOf(experiment), family: 'lightgbm', hyperparameters };
    const long = {
      ...spec,
      name: 'long',
      model: { walkForward: { every: 'month', experiment: trees } },
    };
    const other = await start(long);
    await product.until('a plan', async () => {
      const page = await product.request('GET', `/api/v1/backtests/${other}/events`);
      return (page.body['items'] as unknown[]).length > 0 ? true : undefined;
    });
    const trainings = async (): Promise<readonly string[]> => {
      const page = await product.request('GET', '/api/v1/experiments?model=long-folds&limit=100');
      return (page.body['items'] as Row[]).map(({ status }) => status);
    };
    // The first four end together: one behind them has all of its training before it.
    await product.until('trainings behind the first ones, of which one is done', async () => {
      const all = await trainings();
      return all.length > AT_ONCE && all.includes('completed') ? true : undefined;
    });
    await product.request('POST', `/api/v1/backtests/${other}/cancel`);
    const { status, message } = await endOf(other);
    assert.deepEqual([status, message], ['cancelled', 'cancelled on request']);
    // Of 48 folds none waits for a sweeper, and none trains on.
    const left = await trainings();
    assert.deepEqual(
      left.filter((status) => status === 'queued' || status === 'running'),
      [],
    );
    assert.ok(left.includes('completed') && left.includes('cancelled'), left.join(' '));
    assert.ok(left.length < 48, left.join(' '));
    const found = await product.request('GET', '/api/v1/ml-models/long-folds/backtest');
    assert.equal((found.body['items'] as Row[])[0]!.id, other);
  });

  it('says what is wrong with a spec, inside strategies and experiments too', async () => {
    const bad = {
      ...spec,
      period: { from: '2018-01-01', to: '2015-01-01' },
      strategies: { cross: { kind: 'sma-cross', fast: 20, slwo: 100 } },
    };
    const { status, body } = await product.request('POST', '/api/v1/backtests', bad);
    assert.equal(status, 422);
    assert.match(JSON.stringify(body), /strategies\.cross\.slwo.*Did you mean \\"slow\\"/);
    const cases: [object, RegExp][] = [
      [{ ...spec, model: undefined }, /model: is missing: model ask/],
      [{ ...spec, strategies: { cross: strategies.cross } }, /no strategy asks it/],
      [{ ...spec, model: { walkForward: { experiment: { family: 'rigde' } } } }, /ridge/],
      [
        { ...spec, model: { walkForward: { experiment: { name: 'x' } } } },
        /by the backtest itself/,
      ],
    ];
    for (const [given, words] of cases) {
      const answer = await product.request('POST', '/api/v1/backtests', given);
      assert.equal(answer.status, 422, JSON.stringify(answer.body));
      assert.match(JSON.stringify(answer.body), words);
    }
    const none = await product.request('GET', '/api/v1/backtests/01JCRATCHET0000000000000AB');
    assert.deepEqual([none.status, none.body['code']], [404, 'backtest.unknown']);
  });

  /** Its two strategies, compared by command. */
  async function sideBySide(id: string, folder: string): Promise<void> {
    const both = await product.cli('backtests', `${id}/cross`, id, '-o', folder);
    assert.equal(both.code, 0, both.stderr);
    assert.match(both.stdout, /After costs command \w+ has the highest daily Sharpe ratio/);
    assert.match(both.stdout, /command cross +.*\n.*command model/);
    const page = readFileSync(join(folder, 'comparison.html'), 'utf8');
    assert.match(page, /What they differ in[^]*Strategy: kind/);
    assert.match(both.stdout, /they differ in +command cross +command model\n[^]*Strategy: kind /);
    assert.doesNotMatch(page, /not recorded/, 'models, data and code of both are told');
    const wrong: [string[], RegExp][] = [
      [[id, `${id}/crosss`], /no strategy crosss; it has model, cross/],
      [[id, id], /only once/],
      [[id, `${id}/cross`, '--cancel'], /one backtest at a time/],
    ];
    for (const [args, words] of wrong) {
      const { code, stderr } = await product.cli('backtests', ...args);
      assert.deepEqual([code, words.test(stderr)], [2, true], stderr);
    }
  }

  async function shownAsText(id: string): Promise<void> {
    const { code, stdout, stderr } = await product.cli('backtests', id, '--text');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^command \(\w+\)\n[^]* after costs, buy-and-hold/);
    assert.match(stdout, /\n +model +without costs +buy-and-hold +cross\n/);
    assert.match(stdout, /\nSharpe ratio, daily( +-?[\d.]+){4}\n/);
    assert.match(stdout, /\n- Hypothetical: an instrument of this backtest cannot be traded\.\n/);
  }

  it('is a command that leaves its files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-backtest-'));
    try {
      const file = join(folder, 'spec.json');
      writeFileSync(file, JSON.stringify({ ...spec, name: 'command' }));
      const { code, stdout, stderr } = await product.cli('backtest', file, '-o', folder);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /simulated cross/);
      assert.match(stdout, /strategy +total +a year/);
      const files = readdirSync(folder);
      for (const name of [
        'report.html',
        'report.txt',
        'origin.json',
        'trades-model.csv',
        'result-model.json',
        'equity.png',
      ]) {
        assert.ok(files.includes(name), `${name} of ${files.join(' ')}`);
      }
      const list = await product.cli('backtests', '--json');
      assert.equal((JSON.parse(list.stdout) as Row[])[0]!.status, 'completed');
      await shownAsText((JSON.parse(list.stdout) as Row[])[0]!.id);
      await sideBySide((JSON.parse(list.stdout) as Row[])[0]!.id, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** An experiment's settings without what a backtest gives itself. */
function foldOf({ name: _name, model: _model, data: _data, ...rest }: typeof experiment): object {
  return rest;
}
