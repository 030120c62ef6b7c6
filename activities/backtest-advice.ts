import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import {
  backtestAdvice,
  PROMPT_VERSION,
  QuestionCollector,
  questionText,
  type AdviceFacts,
  type ExchangeRecord,
  type StrategyAdvice,
} from '../core/advice/index.ts';
import { barCount } from '../core/bars/bars.ts';
import { questionsOf, sizesFromHistory } from '../core/backtest/index.ts';
import { modelOfUnit, type BacktestSpec } from '../core/spec/index.ts';
import { adviceOf, type AdviceUse, type StrategySpec } from '../core/strategies/index.ts';
import { givenAdvice } from '../registry/advice.ts';
import { askedBefore, keepAsked } from '../registry/asked-advice.ts';
import {
  appendBacktestEvent,
  backtestOrThrow,
  backtestSpecOf,
  type Backtest,
} from '../registry/backtests.ts';
import { Asking, modelsOrThrow, type Question } from './asking.ts';
import { materialOf, type BacktestMaterial } from './backtest-material.ts';
import { periodOf } from './backtest-plan.ts';
import type { AdviseInput, AdviseResult } from './contracts-backtest.ts';
import type { ActivityDeps, AskedModels } from './deps.ts';
import { whileBeating } from './heartbeat.ts';

/** Sizes that were advised, or that endpoints are asked for now: each question once, whoever asks it again. */
export function createBacktestAdviceActivities(deps: ActivityDeps) {
  return {
    /** Errors: `advice.not-configured`, `advice.endpoints-away`, those of `materialOf`. */
    async adviseBacktest({ backtestId, folds }: AdviseInput): Promise<AdviseResult> {
      const row = await backtestOrThrow(deps.db, backtestId);
      const spec = backtestSpecOf(row);
      return whileBeating(Context.current(), async () => {
        const material = await materialOf(deps, row, spec, folds);
        const strategies: Record<string, StrategyAdvice> = {};
        for (const [name, strategy] of Object.entries(spec.strategies)) {
          const use = adviceOf(strategy);
          if (use === undefined || use.by === 'rule') continue;
          const asked = { deps, row, spec, material, name, strategy, use };
          strategies[name] = use.by === 'history' ? await given(asked) : await answered(asked);
        }
        const text = JSON.stringify(backtestAdvice(strategies));
        return { advice: await deps.artifacts.put(new TextEncoder().encode(text)) };
      });
    },
  };
}

interface Asked {
  readonly deps: ActivityDeps;
  readonly row: Backtest;
  readonly spec: BacktestSpec;
  readonly material: BacktestMaterial;
  readonly name: string;
  readonly strategy: StrategySpec;
  readonly use: AdviceUse;
}

/** What was advised at each bar in time, as far as it was on record when the backtest was asked for. */
async function given({ deps, row, spec, material }: Asked): Promise<StrategyAdvice> {
  const sizes: Record<string, [number, number][]> = {};
  let late = 0;
  const { from, to } = periodOf(spec, row.created_at);
  for (const { bars, calendar } of material.instruments) {
    const { model } = spec;
    const named = model && 'name' in model ? modelOfUnit(model.name, [bars.instrument]) : '';
    const of = { model: named, instrument: bars.instrument };
    const range = { from, to, knownBy: row.created_at.getTime() };
    const history = await givenAdvice(deps.db, of, range);
    const otherwise = new Float64Array(barCount(bars)).fill(NaN);
    const found = sizesFromHistory(bars, calendar, history, otherwise);
    late += found.late;
    sizes[bars.instrument] = found.given.flatMap((advice) =>
      advice === undefined ? [] : [[advice.asOf, advice.size] as [number, number]],
    );
  }
  return { by: 'history', given: sizes, late };
}

/** What the endpoints answer; asked is what was never asked of them before. */
async function answered(asked: Asked): Promise<StrategyAdvice> {
  const { deps, row, spec, material, strategy, use } = asked;
  const models = modelsOrThrow(deps);
  const { from, to } = periodOf(spec, row.created_at);
  const collector = new QuestionCollector(use.questions, from);
  const { instruments } = material;
  const deciding = { instruments, rules: spec.rules, from, to };
  questionsOf(deciding, strategy, () => collector.sizer());
  const questions = [...collector.questions.values()].map((facts) => ({
    key: keyOf(models, use, facts),
    facts,
  }));
  const keys = questions.map(({ key }) => key);
  const before = await askedBefore(deps.db, keys);
  const missing = questions.filter(({ key }) => !before.has(key));
  await askMissing(asked, models, missing, questions.length);
  // Read back: where two asked at once the first answer counts for both.
  const all = await askedBefore(deps.db, keys);
  const answers = questions.map(({ key, facts }): [string, ExchangeRecord[]] => [
    questionText(facts),
    [...all.get(key)!],
  ]);
  const { names, tolerancePoints } = models;
  return { by: 'endpoints', names, tolerancePoints, answers: Object.fromEntries(answers) };
}

/** Asks, and says how far it is each tenth of the way. */
async function askMissing(
  { deps: { db }, row, name }: Asked,
  models: AskedModels,
  missing: readonly Question[],
  all: number,
): Promise<void> {
  const remembered = all - missing.length;
  const tell = async (step: number, asked: number): Promise<void> => {
    const payload = { strategy: name, asked, remembered, questions: all };
    const key = `advice/${name}/${step}`;
    await appendBacktestEvent(db, row.id, { kind: 'advice', key, payload });
  };
  const asking = new Asking(models, Context.current(), ({ key, facts }, exchanges) =>
    keepAsked(db, { key, prompt: PROMPT_VERSION, facts, exchanges }),
  );
  let told = 0;
  await asking.all(missing, async (done) => {
    const step = Math.floor((10 * done) / missing.length);
    if (step === told || step === 10) return;
    told = step;
    await tell(step, done);
  });
  await tell(10, missing.length);
}

/** The exact question and everything else that its answer depends on. */
const keyOf = ({ identity }: AskedModels, { round }: AdviceUse, facts: AdviceFacts): string =>
  createHash('sha256')
    .update(JSON.stringify([identity, round, questionText(facts)]))
    .digest('hex');
