/** Strategies that ask a model, over HTTP: the target at a bar is the one that a backtest computes for it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { createBacktestAnswerActivities } from '../../activities/backtest-answers.ts';
import { barsAsOf } from '../../activities/bars-as-of.ts';
import { createApp } from '../../api/app.ts';
import { openReplica, type RunningReplica } from '../../api/open-parts.ts';
import { alignAnswers } from '../../core/backtest/answers.ts';
import { decodeAnswers } from '../../core/backtest/index.ts';
import type { Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import {
  decide,
  strategies,
  strategySpecSchema,
  type ModelColumns,
  type StrategySpec,
} from '../../core/strategies/index.ts';
import { keptAnswers } from '../../registry/backtest-answers.ts';
import { createBacktest } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { ADMIN, memoryLog, ScriptedOrchestrator, type Body } from '../support/api-fixture.ts';
import { COLLECT_NOW } from '../support/collect-fixture.ts';
import { testKeys } from '../support/model-package.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import { testSpec } from '../support/registry-facts.ts';

const INSTRUMENT = '^GSPC';
const calendar = calendarFor('nyse');
const data = {
  sources: [{ dataset: 'sp500-daily' }],
  instruments: [INSTRUMENT],
  from: '2010-01-04',
};
const trained = {
  data,
  features: 'daily-22',
  lookback: 5,
  baselines: ['naive'],
  seeds: [1],
};
const CLASSES = {
  ...{ ...trained, model: 'gspc-classes', family: 'logistic', serving: { abstain: true } },
  ...{ label: { kind: 'threeClass', horizons: [5] }, confidence: { method: 'probability' } },
};
const CHANGES = {
  ...{ ...trained, model: 'gspc-changes', family: 'ridge', confidence: { method: 'none' } },
  label: { kind: 'forwardLogReturn', horizons: [5] },
};

/** Bars that are asked about, each by every strategy. */
const BARS = 5;
/** Half an hour and more after the close: when a daily bar is known. */
const knownAt = (open: number): number => calendar.closeTime(open, '1d') + 3_600_000;
const PERIOD = { from: '2016-03-01', to: '2017-06-30' };

const cross = { kind: 'sma-cross', fast: 5, slow: 21, short: true };
const keeping = { kind: 'model-signal', whenAbstained: 'keep', keepBars: 30, short: true };
/** By kind, specs that ask the model of classes. */
const ASKING: Readonly<Record<string, readonly object[]>> = {
  'model-signal': [{ short: true }, keeping, { sizing: 'proportional', fallback: cross }],
  'model-filter': [
    { of: cross, least: 0.45, whenAbstained: 'pass' },
    { of: cross, least: 0.4 },
  ],
  hybrid: [
    { members: [{ strategy: cross, weight: 2 }, { strategy: { kind: 'model-signal' } }] },
    { by: 'vote', quorum: 0.4, members: [{ strategy: cross }, { strategy: keeping }] },
  ],
  regime: [{ calm: keeping, normal: { kind: 'model-signal' }, turbulent: cross, window: 100 }],
  'volatility-target': [{ of: keeping, annualVolatility: 0.1 }],
  'advised-size': [{ of: cross }, { of: keeping, strongScore: 0.1, confidence: 0.9 }],
};
/** A kind that asks no model stands under one that does. */
const askingOf = (kind: string): readonly StrategySpec[] =>
  (
    ASKING[kind]?.map((params) => ({ kind, ...params })) ?? [
      { kind: 'model-filter', of: { kind }, least: 0.4 },
      { kind: 'hybrid', members: [{ strategy: { kind } }, { strategy: keeping }] },
    ]
  ).map((spec) => strategySpecSchema.parse(spec));

interface Said {
  readonly kind: string;
  readonly position: number;
  readonly decidedBy: string;
  readonly fallback: boolean;
}

describe('signals of strategies that ask a model', () => {
  let pipeline: Pipeline;
  let classes: PipelineRun;
  let changes: PipelineRun;
  let folder: string;
  let replica: RunningReplica;
  let bars: Bars;
  before(async () => {
    pipeline = await openPipeline();
    classes = await pipeline.run(CLASSES);
    changes = await pipeline.run(CHANGES);
    const { deps } = pipeline;
    folder = await mkdtemp(join(tmpdir(), 'ratchet-signals-'));
    replica = await openReplica(
      {
        ...{ replicaId: 'one', folder, trustedKeys: testKeys, adminToken: ADMIN },
        ...{ notificationsUrl: undefined, address: () => 'http://one', version: 'test' },
        allowedHosts: () => new Set(['localhost']),
      },
      {
        ...{ db: deps.db, artifacts: deps.artifacts, datasets: deps.datasets, log: memoryLog() },
        ...{ orchestrator: new ScriptedOrchestrator(), clock: () => COLLECT_NOW },
      },
    );
    const { timeframe, sources } = testSpec({ data }).data;
    const question = { instrument: INSTRUMENT, timeframe, sources, asOf: COLLECT_NOW };
    bars = await barsAsOf(deps, question);
  });
  after(async () => {
    await replica.stop();
    await pipeline.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function call(method: string, path: string, body: object) {
    const response = await createApp(replica.parts).request(`http://localhost/api/v1/${path}`, {
      ...{ method, body: JSON.stringify(body) },
      headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
    });
    return { status: response.status, body: (await response.json()) as Body };
  }
  async function declare(spec: typeof CLASSES | typeof CHANGES, strategy: object): Promise<void> {
    const serving = { ...('serving' in spec && spec.serving), strategy };
    const template = { name: 'signals', ...spec, serving };
    const { status, body } = await call('PUT', `ml-models/${spec.model}`, { template });
    assert.equal(status, 200, JSON.stringify(body));
  }
  async function signal(model: string, row: number, version?: number): Promise<Body> {
    const asOf = new Date(knownAt(bars.openTime[row]!)).toISOString();
    const asked = { model, instrument: INSTRUMENT, asOf, ...(version && { version }) };
    const { status, body } = await call('POST', 'signals', { ...asked, record: false });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body['asOf'], new Date(bars.openTime[row]!).toISOString());
    return body;
  }

  /** The answers of a version through the period, by the activity that backtests ask with. */
  async function answersOf({ model, version }: PipelineRun): Promise<ModelColumns> {
    const { db, artifacts } = pipeline.deps;
    const id = ulid();
    const spec = parseBacktestSpec({
      ...{ name: 'beside', data, period: PERIOD, model: { name: model, version } },
      strategies: { model: { kind: 'model-signal' } },
    });
    const row = { id, spec, specHash: 'x', workflowId: `backtest/${id}` };
    await inTransaction(db, (trx) =>
      createBacktest(trx, { ...row, actor: 'test', requestId: undefined }),
    );
    const { answerFold } = createBacktestAnswerActivities(pipeline.deps);
    const fold = { fold: 0, from: `${PERIOD.from}T00:00:00Z`, to: `${PERIOD.to}T23:00:00Z` };
    const input = { backtestId: id, fold };
    await new MockActivityEnvironment().run(answerFold, input);
    const [kept] = await keptAnswers(db, id);
    return alignAnswers(bars, decodeAnswers(await artifacts.get(kept!.columns))).model;
  }
  /** Bars late enough in the period that what is remembered lies in it, spread over it. */
  const rowsOf = (count: number): readonly number[] => {
    const first = bars.openTime.findIndex((open) => open > Date.parse('2016-06-01'));
    return Array.from({ length: count }, (_, i) => first + i * 19);
  };

  it('are the targets of a backtest at the same bars, for every kind of strategy', async () => {
    const model = await answersOf(classes);
    const abstained = rowsOf(BARS).filter((row) => model.abstained![row] === 1).length;
    assert.ok(abstained > 0 && abstained < BARS, `${abstained} of ${BARS} abstain`);
    const seen = new Set<number>();
    let checked = 0;
    for (const { name } of strategies) {
      for (const spec of askingOf(name)) {
        await declare(CLASSES, spec);
        const wanted = decide(spec, { bars, calendar, model });
        for (const row of rowsOf(BARS)) {
          const body = await signal(classes.model, row, classes.version);
          const what = `${JSON.stringify(spec)} at ${row}: ${JSON.stringify(body)}`;
          const position = wanted.positions[row]!;
          const said = body['strategy'] as unknown as Said | null;
          assert.deepEqual([body['source'], body['reason']], ['strategy', null], what);
          assert.ok(Object.is(said?.position, position), what);
          assert.equal(said?.decidedBy, wanted.parts[wanted.decidedBy[row]!]!.name);
          assert.equal(body['score'], position);
          assert.equal(body['version'], classes.version);
          assert.notEqual(body['prediction'], null);
          seen.add(position);
          checked++;
        }
      }
    }
    assert.ok(checked >= BARS * strategies.length && seen.size > 10, `${checked}, ${seen.size}`);
  });

  it('go by the expected change of a model of quantities, which has no probability here', async () => {
    const spec = strategySpecSchema.parse({
      ...{ kind: 'model-signal', by: 'change', short: true },
      sizing: 'proportional',
      cuts: { buy: 0.0001, strongBuy: 0.01 },
    });
    await declare(CHANGES, spec);
    const model = await answersOf(changes);
    const { positions } = decide(spec, { bars, calendar, model });
    const seen = new Set<number>();
    for (const row of rowsOf(BARS)) {
      const body = await signal(changes.model, row, changes.version);
      assert.deepEqual([body['source'], body['reason']], ['strategy', null]);
      assert.equal((body['strategy'] as unknown as Said).position, positions[row]);
      seen.add(positions[row]!);
    }
    assert.ok(seen.size > 1);
    await declare(CHANGES, { kind: 'model-signal' });
    const silent = await signal(changes.model, rowsOf(1)[0]!, changes.version);
    assert.deepEqual([silent['source'], silent['reason']], ['heuristic', 'no-opinion']);
  });

  it('are those of the fallback, or flat, where no version answers', async () => {
    const row = rowsOf(2)[1]!;
    const spec = strategySpecSchema.parse({ kind: 'model-signal', fallback: cross });
    await declare(CLASSES, spec);
    const body = await signal(classes.model, row);
    const { positions } = decide(strategySpecSchema.parse(cross), { bars, calendar });
    assert.deepEqual([body['source'], body['reason']], ['strategy', 'no-champion']);
    assert.deepEqual(body['strategy'], {
      ...{ kind: 'model-signal', position: positions[row] },
      ...{ decidedBy: 'model-signal.fallback:sma-cross', fallback: true },
    });
    await declare(CLASSES, { kind: 'model-signal' });
    const flat = await signal(classes.model, row);
    assert.equal(flat['recommendation'], 'hold');
    assert.equal((flat['strategy'] as unknown as Said).decidedBy, 'model-signal.flat');
  });

  it('remember what was answered about bars of the caller, as far as one request may ask', async () => {
    const row = rowsOf(6)[5]!;
    const iso = (t: number): string => new Date(bars.openTime[t]!).toISOString();
    const column = (t: number) => ({
      ...{ openTime: iso(t), open: bars.open[t]!, high: bars.high[t]!, low: bars.low[t]! },
      ...{ close: bars.close[t]!, volume: bars.volume[t]! },
    });
    const rows = Array.from({ length: 700 }, (_, i) => column(row - 699 + i));
    const { model, version } = classes;
    const ask = () =>
      call('POST', 'signals', {
        model,
        version,
        instrument: INSTRUMENT,
        bars: rows,
        record: false,
      });
    await declare(CLASSES, keeping);
    const { body } = await ask();
    const answers = await answersOf(classes);
    const { positions } = decide(strategySpecSchema.parse(keeping), {
      ...{ bars, calendar, model: answers },
    });
    assert.equal((body['strategy'] as unknown as Said).position, positions[row]);
    await declare(CLASSES, { ...keeping, keepBars: 101 });
    const much = await ask();
    assert.deepEqual([much.status, much.body['code']], [422, 'signal.answers']);
  });
});
