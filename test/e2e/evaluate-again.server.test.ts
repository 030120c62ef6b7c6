import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Evaluation } from '../../core/evaluation/index.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const spec = {
  name: 'again',
  model: 'again',
  data: {
    sources: [{ dataset: 'sp500-daily' }],
    instruments: ['^GSPC'],
    from: '2006-01-01',
  },
  lookback: 20,
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  family: 'ridge',
  baselines: ['naive'],
  seeds: [1],
};
const MODEL = '/api/v1/ml-models/again';

interface Run {
  readonly id: string;
  readonly version: number;
  readonly champion: number | null;
  readonly status: string;
  readonly message: string | null;
  readonly metrics: Record<string, number | null>;
  readonly evaluation: Evaluation | null;
}

describe('a version judged again', { skip: productMissing }, () => {
  let product: Product;
  let own: Evaluation;
  const evaluationOf = async (model: string, version: number): Promise<Evaluation> => {
    const path = `/api/v1/ml-models/${model}/versions/${version}/evaluation`;
    return (await product.request('GET', path)).body as unknown as Evaluation;
  };
  const judge = async (body: object, model = 'again'): Promise<Run> => {
    const base = `/api/v1/ml-models/${model}`;
    const asked = await product.request('POST', `${base}/evaluate`, body);
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    const id = String(asked.body['id']);
    assert.equal(asked.headers.get('location'), `${base}/evaluations/${id}`);
    return product.until(`evaluation ${id}`, async () => {
      const run = (await product.request('GET', `${base}/evaluations/${id}`)).body;
      return run['finishedAt'] === null ? undefined : (run as unknown as Run);
    });
  };
  before(async () => {
    product = await startProduct();
    const { status, message } = await product.run(spec);
    assert.equal(status, 'completed', message);
    own = await evaluationOf('again', 1);
  });
  after(() => product.end());

  it('gives the figures of its own evaluation on the rows of its own test part', async () => {
    const { evaluation, ...run } = await judge({});
    assert.deepEqual([run.status, run.version, run.champion], ['completed', 1, null], run.message!);
    assert.equal(evaluation!.rows.digest, own.rows.digest);
    assert.deepEqual(evaluation!.split.train, own.split.train);
    const modelOf = ({ forecasters }: Evaluation) => forecasters.find((f) => f.name === 'model');
    assert.deepEqual(modelOf(evaluation!), modelOf(own));
    assert.deepEqual(
      evaluation!.skill.find((s) => s.reference === 'training mean'),
      own.skill.find((s) => s.reference === 'training mean'),
    );
    assert.equal(run.metrics['h5.rmse'], modelOf(own)!.byHorizon[1]!.metrics['rmse']!.value);
    assert.match(evaluation!.warnings.join(' '), /another look/);
    const { serving, parts } = evaluation!.again!;
    assert.equal(serving, true);
    // The bundled bars end in 2018: nothing came after it.
    assert.deepEqual(
      parts!.map(({ part, rows }) => [part, rows]),
      [
        ['own', own.rows.rows],
        ['after', 0],
      ],
    );
  });

  it('judges the decisions of a range only, and says where there are none', async () => {
    const from = own.split.test.from;
    const middle = new Date((Date.parse(from) + Date.parse(own.split.test.to)) / 2);
    const half = await judge({ from, to: middle.toISOString().slice(0, 10) });
    const { split, rows } = half.evaluation!;
    assert.equal(split.test.from, from);
    assert.ok(split.test.to <= middle.toISOString());
    assert.ok(rows.rows > 100 && rows.rows < own.rows.rows, `${rows.rows} rows`);
    const seen = await judge({ from: own.split.train.from, to: own.split.train.to });
    assert.equal(seen.status, 'failed');
    assert.match(seen.message!, /nothing to judge in the range .* it knows what came up to 20/);
  });

  it('compares with the champion where it is another version', async () => {
    const forced = await product.run({ ...spec, lookback: 10, forceRetrain: true });
    assert.equal(forced.status, 'completed', forced.message);
    const champion = await product.request('GET', `${MODEL}/champion`);
    const serving = (champion.body['champion'] as { version: number }).version;
    const other = serving === 1 ? 2 : 1;
    const b = await evaluationOf('again', serving);
    // The champion's own test part: both know nothing of it.
    const range = { from: b.split.test.from, to: b.split.test.to };
    const { champion: against, evaluation } = await judge({ version: other, ...range });
    assert.equal(against, serving);
    const compared = evaluation!.comparisons.find((c) => c.against === 'champion')!;
    assert.deepEqual([compared.status, compared.rows], ['tested', b.rows.rows]);
    const lossOf = ({ forecasters }: Evaluation) => forecasters[0]!.weightedLoss.value!;
    assert.ok(Math.abs(compared.challengerLoss! - lossOf(evaluation!)) < 1e-12);
    // Scaled by the variance of the other's training labels, which are the same but for a few rows.
    assert.ok(Math.abs(compared.otherLoss! / lossOf(b) - 1) < 0.005, `${compared.otherLoss}`);
  });

  it('has nothing to judge a version on that has learnt from every bar', async () => {
    const { status, message } = await product.run({ ...spec, model: 'all', refit: 'all' });
    assert.equal(status, 'completed', message);
    const run = await judge({}, 'all');
    assert.equal(run.status, 'failed');
    assert.match(run.message!, /^there is nothing to judge: .* the newest decision/);
  });

  it('judges classes against their shares, of each instrument of a pool its own', async () => {
    const pooled = {
      ...spec,
      model: 'pool',
      fit: 'pooled',
      data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] },
      label: { kind: 'threeClass', horizons: [5] },
      family: 'logistic',
      baselines: ['majority'],
    };
    const { status, message } = await product.run(pooled);
    assert.equal(status, 'completed', message);
    const { evaluation } = await judge({}, 'pool');
    const before = await evaluationOf('pool', 1);
    assert.equal(evaluation!.rows.digest, before.rows.digest);
    for (const name of ['model', 'majority']) {
      const loss = ({ forecasters }: Evaluation) =>
        forecasters.find((f) => f.name === name)!.weightedLoss.value!;
      assert.ok(Math.abs(loss(evaluation!) - loss(before)) < 1e-12, name);
    }
  });

  it('is a command, with its page, its list and its reasons', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-again-'));
    try {
      const file = join(folder, 'page.html');
      const { code, stdout, stderr } = await product.cli('evaluate', 'again', '-v1', '-o', file);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /again version 1: Loss .*naive/);
      assert.match(stdout, /another look at much the same rows/);
      assert.match(readFileSync(file, 'utf8'), /again, version 1 judged again/);
      const list = await product.cli('evaluate', 'again', '--list', '--json');
      const items = JSON.parse(list.stdout) as Run[];
      assert.ok(items.length >= 4);
      assert.deepEqual(
        items.map(({ id }) => id),
        items.map(({ id }) => id).toSorted((x, y) => (x < y ? 1 : -1)),
      );
      const none = await product.cli('evaluate', 'again', '--to', '2007-01-01');
      assert.equal(none.code, 1);
      assert.match(none.stderr, /nothing to judge in the range/);
      const later = await product.cli('evaluate', 'again', '--no-wait', '--json');
      const asked = JSON.parse(later.stdout) as Run;
      const shown = await product.cli('evaluate', 'again', '--show', asked.id, '--json');
      assert.equal((JSON.parse(shown.stdout) as Run).status, 'completed');
      const late = await product.cli('evaluate', 'again', '--cancel', asked.id);
      assert.match(late.stdout, /: completed$/m, late.stderr);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('refuses what cannot be', async () => {
    const ask = (path: string, body: object) => product.request('POST', path, body);
    const cases: [string, object, number, string][] = [
      [`${MODEL}/evaluate`, { version: 99 }, 404, 'version.unknown'],
      ['/api/v1/ml-models/nobody/evaluate', {}, 404, 'model.unknown'],
      [`${MODEL}/evaluate`, { from: '2018-06-01', to: '2018-01-01' }, 422, 'body.invalid'],
      [`${MODEL}/evaluate`, { until: '2018-01-01' }, 422, 'body.invalid'],
    ];
    for (const [path, body, status, code] of cases) {
      const answer = await ask(path, body);
      assert.deepEqual([answer.status, answer.body['code']], [status, code]);
    }
    const foreign = await product.request('GET', `${MODEL}/evaluations/01JCRATCHET0000000000000AB`);
    assert.deepEqual([foreign.status, foreign.body['code']], [404, 'evaluation.unknown']);
  });
});
