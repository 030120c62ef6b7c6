/** Sessions without an answer, in notes and verdict. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backtestResultSchema,
  backtestRules,
  emptyAnswers,
  simulate,
  type AnswerColumns,
  type SimulatedStrategy,
} from '../../../core/backtest/index.ts';
import { backtestText, verdictOf } from '../../../core/backtest/report/index.ts';
import { sliceBars } from '../../../core/bars/index.ts';
import { strategySpecSchema } from '../../../core/strategies/index.ts';
import { portfolioSchema } from '../../../core/strategies/portfolio/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const bars = sliceBars(sp500(), 0, 400);
const [from, to] = [bars.openTime[100]!, bars.openTime[399]!];
const SESSIONS = 300;

/** Answers of every session of the period that turn with the weeks, the first `failed` missing. */
function answersWith(failed: number): AnswerColumns {
  const columns = emptyAnswers(SESSIONS);
  columns.session.set(bars.openTime.subarray(100, 400));
  for (let row = 0; row < SESSIONS; row++) {
    columns.version[row] = row < failed ? 0 : 1;
    columns.failed[row] = row < failed ? 1 : 0;
    if (row >= failed) columns.change[row] = row % 10 < 5 ? 0.01 : -0.01;
  }
  return columns;
}

const asks = strategySpecSchema.parse({ kind: 'model-signal', by: 'change' });
const holds = strategySpecSchema.parse({ kind: 'buy-and-hold' });
const run = (failed: number): Promise<readonly SimulatedStrategy[]> =>
  simulate(
    {
      instruments: [{ bars, calendar: daily, answers: answersWith(failed) }],
      strategies: { asks, holds },
      portfolios: { both: { of: ['asks', 'holds'], ...portfolioSchema.parse({}) } },
      rules: backtestRules(),
      ...{ from, to, paths: 0, seed: 1, earlierSharpes: [] },
    },
    () => Promise.resolve(),
  );
const told = ([strategy, ...beside]: readonly SimulatedStrategy[]) => {
  const input = { name: 'x', strategy: strategy!, beside, closes: [], origin: {} };
  return { verdict: verdictOf(input), text: backtestText(input) };
};

test('with all answers nothing is said of them', async () => {
  const results = await run(0);
  assert.deepEqual(results[0]!.result.answers, { asked: SESSIONS, failed: 0, inSample: 0 });
  assert.doesNotMatch(told(results).text.join('\n'), /[nN]o answer/);
});

test('some without an answer: a warning before everything else, of those that ask only', async () => {
  const results = await run(30);
  const [own, hold, both] = results.map(({ result }) => result);
  const words = /^No answer for 30 of 300 sessions/;
  assert.match(own!.notes[0]!, words);
  assert.match(both!.notes[0]!, words);
  assert.equal(hold!.answers, undefined);
  assert.doesNotMatch(hold!.notes.join(' '), /answer/);
  const { verdict, text } = told(results);
  assert.match(verdict.text, /^No answer for 30 of 300 sessions\. \w/);
  assert.match(
    text.find((line) => line.startsWith('- '))!,
    /^- No answer for 30 of 300/,
  );
  assert.deepEqual(backtestResultSchema.parse(JSON.parse(JSON.stringify(own))), own);
});

test('most without an answer: whatever it made, it is not to be trusted', async () => {
  const { verdict } = told(await run(275));
  assert.match(
    verdict.text,
    /^Not to be trusted, as there was no answer for 275 of 300 sessions: /,
  );
  assert.equal(verdict.good, false);
  // Exactly the share that is still taken.
  assert.match(told(await run(60)).verdict.text, /^No answer for 60 of 300/);
  assert.match(told(await run(61)).verdict.text, /^Not to be trusted/);
});

test('nobody served: the verdict says what could be asked in place of that', async () => {
  const [strategy, ...beside] = await run(SESSIONS);
  const words = (origin: object) =>
    verdictOf({ name: 'x', strategy: strategy!, beside, closes: [], origin }).text;
  const insteadOfNobody = 'nobody served then; `version: champion` asks one';
  const models = (version: string) => [{ version, from, to }];
  assert.match(
    words({ insteadOfNobody, models: models('nobody') }),
    /^Not to be trusted, as there was no answer for 300 of 300 sessions \(nobody served then; `version: champion` asks one\): /,
  );
  // A model that was asked, and could not answer.
  assert.doesNotMatch(words({ insteadOfNobody, models: models('signals 1') }), /nobody/);
  assert.doesNotMatch(words({ models: models('nobody') }), /served/);
});
