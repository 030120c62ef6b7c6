/** A version judged again: what its page says, and what it no longer claims. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, shortVerdict, type EvaluationInput } from '../../../core/evaluation/index.ts';
import { plotsOf } from '../../../core/evaluation/report/plots.ts';
import { renderReport } from '../../../core/evaluation/report/render.ts';
import { plant } from './planted.ts';

type Again = NonNullable<EvaluationInput['again']>;

/** 600 rows, one forecast; the own test part ends with row `own`. */
function judged(change: Partial<Again> = {}, own = 399, good = true): EvaluationInput {
  const forecast = good ? { signal: 1, noise: 0.05 } : { signal: 0, noise: 0.4 };
  const { input } = plant({ seeds: [1], forecast });
  const ownTestTo = own < 0 ? 0 : input.rows.openTime[own]!;
  const none = { from: null, to: null };
  return {
    ...input,
    again: { version: 1, asOf: '2020-01-01', serving: true, chosen: none, ownTestTo, ...change },
  };
}

const withChampion = (input: EvaluationInput): EvaluationInput => ({
  ...input,
  champion: {
    version: 3,
    trainedThrough: input.trainedThrough,
    predictions: input.seeds[0]!.predictions.map((x) => 0.5 * x),
  },
});

function pageOf(input: EvaluationInput): string {
  const evaluation = evaluate(input);
  return renderReport(evaluation, plotsOf(evaluation, input)).replaceAll(/<svg.*?<\/svg>/gs, '');
}

const sectionOf = (page: string, id: string): string =>
  page
    .slice(page.indexOf(`<section id="${id}">`))
    .replace(/<\/section>.*/s, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');

test('the verdict says what is lower, proves nothing and is no try', () => {
  const { verdict } = evaluate(withChampion(judged()));
  assert.match(
    verdict,
    /^Loss lower than that of champion v3: weighted loss .* lower \(p < 0\.001\);/,
  );
  assert.match(verdict, /; loss lower than that of the naive baseline: /);
  assert.doesNotMatch(verdict, /prove|try/);
  const short = 'Loss lower than that of champion v3; loss lower than that of the naive baseline';
  assert.equal(shortVerdict(verdict), short);
  const worse = evaluate(judged({}, 399, false)).verdict;
  assert.match(worse, /^Loss higher than that of the naive baseline: /);
  const page = pageOf(withChampion(judged()));
  assert.match(page, /class="verdict">Loss lower/, 'not shown as good news');
  assert.match(sectionOf(page, 'tries'), /challenges nobody/);
  assert.doesNotMatch(page, /Try<|number 1 against/);
});

test('beside the verdict stands that there are other looks, and who chose the rows', () => {
  const looks = /another look at much the same rows; the level of the test counts none of them/;
  assert.match(evaluate(judged()).warnings[0]!, looks);
  const verdict = sectionOf(pageOf(judged()), 'verdict');
  assert.ok(verdict.search(looks) < verdict.indexOf('Loss saved'), 'before the figures');
  assert.ok(evaluate(judged()).warnings.every((text) => !/chosen by the caller/.test(text)));
  const chosen = { from: '2016-02-01T00:00:00.000Z', to: null };
  const [, range] = evaluate(judged({ chosen })).warnings;
  assert.match(range!, /chosen by the caller: 2016-02-01T00:00:00\.000Z to the newest decision/);
});

test('rows after its own test part have figures of their own', () => {
  const input = judged();
  const { again, rows, forecasters } = evaluate(input);
  const [own, after] = again!.parts!;
  assert.deepEqual([own!.rows, after!.rows], [400, 200]);
  const together = (own!.weightedLoss! * 400 + after!.weightedLoss! * 200) / rows.rows;
  assert.ok(Math.abs(together - forecasters[0]!.weightedLoss.value!) < 1e-9);
  assert.ok(own!.interval && after!.interval, 'twenty independent outcomes of ten bars');
  assert.match(sectionOf(pageOf(input), 'verdict'), /all 600 rows; 400 are of its own test part/);
  const fewer = evaluate(judged({}, 450)).again!.parts!;
  assert.deepEqual([fewer[1]!.rows, fewer[1]!.interval], [149, null]);
});

test('where there are no such rows, or no others, the page says so', () => {
  const stale = judged({}, 599);
  const [, after] = evaluate(stale).again!.parts!;
  assert.deepEqual([after!.rows, after!.skill, after!.weightedLoss], [0, null, null]);
  assert.match(sectionOf(pageOf(stale), 'verdict'), /No row came after its own test part/);
  assert.match(sectionOf(pageOf(judged({}, -1)), 'verdict'), /All 600 rows came after its own/);
});

test('a champion judged again is no model that nothing serves', () => {
  const champion = (change: Partial<Again>) => sectionOf(pageOf(judged(change)), 'champion');
  assert.match(champion({ serving: true }), /it serves the model itself/);
  assert.match(champion({ serving: false }), /nothing served this model when/);
  assert.match(champion({ serving: null }), /it serves itself, or nothing does/);
  assert.doesNotMatch(champion({ serving: true }), /Nothing serves this model yet/);
});

test('what answered is named: a mean of seeds, refitted weights', () => {
  const none = { bestValidLoss: NaN, bestEpoch: null, epochsRun: null };
  const plain = judged({ weights: 'trained' });
  const blind = (change: Partial<Again>): EvaluationInput => {
    const input = judged(change);
    return { ...input, seeds: input.seeds.map((seed) => ({ ...seed, ...none })) };
  };
  assert.match(
    sectionOf(pageOf(plain), 'seeds'),
    /weights of the served seed \(\w+\) that are served/,
  );
  const refitted = blind({ weights: 'refitted' });
  const [seed] = evaluate(refitted).seeds;
  assert.deepEqual([seed!.bestValidLoss, seed!.bestEpoch, seed!.epochsRun], [null, null, null]);
  assert.match(
    sectionOf(pageOf(refitted), 'seeds'),
    /Judged are the refitted weights of the served/,
  );
  const mean = {
    ...blind({ weights: 'trained', seeds: [1, 2, 3] }),
    serve: 'seedEnsemble' as const,
  };
  const page = pageOf(mean);
  assert.match(sectionOf(page, 'seeds'), /1, 2, 3 \(served\).*the mean of 3 seeds \(1, 2, 3\)/);
  assert.match(sectionOf(page, 'baselines'), /mean of 3 seeds/);
});
