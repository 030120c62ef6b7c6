import { z } from 'zod';
import { nonInferiority, type NonInferiority } from '../metrics/non-inferiority.ts';
import { levelOfTry } from '../metrics/tries.ts';
import {
  changeOf,
  decideFirst,
  leftToTrial,
  refuseNotFinite,
  reject,
  testedAgainst,
  unproved,
  type Outcome,
} from './guards.ts';
import { judgeTrial } from './judge.ts';
import { definePolicy, type Evidence } from './policy.ts';

/** The words for what was and was not shown; never "better". */
export const FRESHNESS_CLAIM = 'promoted for freshness, not proved better';

const params = z.object({
  alpha: z
    .number()
    .gt(0)
    .lt(0.5)
    .default(0.05)
    .describe('Level of all tries against one champion.'),
  margin: z
    .number()
    .gt(0)
    .max(0.1)
    .default(0.02)
    .describe("Share of the champion's loss that a fresher model may lose more."),
  requireSkill: z
    .boolean()
    .default(false)
    .describe('Refuse a first champion that is not proved better than the naive baseline.'),
});
type Params = z.output<typeof params>;

/** Non-inferiority: the same template on newer data may serve when it is proved not worse by the margin. */
export const freshness = definePolicy({
  name: 'freshness',
  docs:
    'Opt-in, for retraining the same template on newer data: accepts a challenger that is proved to be worse than the ' +
    'champion by less than margin (a share of its loss), on the same rows, with p of at most alpha x 6 / (pi^2 k^2) ' +
    'for the k-th try, and whose deployed seed is within the margin by itself. It never says better: the evidence ' +
    'says "promoted for freshness, not proved better", and each such promotion may cost up to the margin. Another ' +
    'template, older data, or fewer than 20 independent horizons: the champion stays. A first champion is decided as ' +
    'by beats-champion.',
  params,
  decide(evidence, settings) {
    const alphaK = levelOfTry(settings.alpha, evidence.tries.k);
    const { outcome, test } = outcomeOf(evidence, alphaK, settings);
    const promoted = outcome.verdict === 'accept' && evidence.championVersion !== null;
    const sheet = {
      policy: 'freshness',
      alphaK,
      nonInferiority: test && { ...test, margin: settings.margin },
      ...(promoted && { claim: FRESHNESS_CLAIM }),
    };
    return { ...leftToTrial(outcome, evidence), evidence: { ...evidence, ...sheet } };
  },
  judge: (evidence, { margin }) =>
    judgeTrial(evidence, {
      margin,
      proved: `P${FRESHNESS_CLAIM.slice(1)} than champion v${evidence.championVersion}`,
    }),
});

interface Judged {
  readonly outcome: Outcome;
  readonly test: NonInferiority | null;
}
const untested = (outcome: Outcome): Judged => ({ outcome, test: null });

function outcomeOf(evidence: Evidence, alphaK: number, settings: Params): Judged {
  const notFinite = refuseNotFinite(evidence);
  if (notFinite) return untested(notFinite);
  const { championVersion: version } = evidence;
  if (version === null) return untested(decideFirst(evidence, alphaK, settings.requireSkill));
  const stale = refuseNotFresher(version, evidence);
  if (stale) return untested(stale);
  return decideAgainst(version, evidence, alphaK, settings.margin);
}

/** Freshness is an argument for the same template on newer data only. */
function refuseNotFresher(version: number, { lineage }: Evidence): Outcome | undefined {
  const champion = lineage?.champion;
  const through = lineage?.trainedThrough ?? null;
  const before = champion?.trainedThrough ?? null;
  if (!lineage || !champion || through === null || before === null) {
    return reject(`It is not known what champion v${version} was trained on, so it stays`);
  }
  if (lineage.template !== champion.template) {
    return reject(
      `Freshness is for the same template on newer data, and champion v${version} was trained by another one; ` +
        'use beats-champion',
    );
  }
  if (!(Date.parse(through) > Date.parse(before))) {
    return reject(
      `Not fresher: trained through ${isoMinute(through)}, champion v${version} through ${isoMinute(before)}`,
    );
  }
  return undefined;
}

const isoMinute = (iso: string): string => iso.slice(0, 16);

function decideAgainst(
  version: number,
  evidence: Evidence,
  alphaK: number,
  margin: number,
): Judged {
  const found = testedAgainst(version, evidence);
  if ('refusal' in found) return untested(found.refusal);
  const against = found.tested;
  const test = nonInferiority(against, margin);
  if (test === null) {
    return untested(
      reject(
        `The losses do not vary against those of champion v${version}: nothing fresher to promote`,
      ),
    );
  }
  const allowed = `a margin of ${Number((100 * margin).toPrecision(3))} %`;
  const figures =
    `loss ${changeOf(against)} on ${against.rows} common rows, ` +
    `p = ${test.p.toPrecision(3)} for losing ${allowed} or more`;
  if (!(test.p <= alphaK)) {
    const needs = `try ${evidence.tries.k} against this champion needs p <= ${alphaK.toPrecision(3)}`;
    const reason = `Not proved to be within ${allowed} of champion v${version}: ${figures}, and ${needs}`;
    return { outcome: unproved(reason), test };
  }
  const served = (against.servedMeanDifference ?? Number.NaN) + margin * (against.otherLoss ?? 0);
  if (!(served > 0)) {
    const reason =
      `The seeds together are within ${allowed} of champion v${version}, but the seed that would be ` +
      'deployed is not by itself';
    return { outcome: unproved(reason), test };
  }
  const reason = `P${FRESHNESS_CLAIM.slice(1)} than champion v${version}: ${figures}`;
  return { outcome: { verdict: 'accept', reasons: [reason] }, test };
}
