/** How often a strategy asked a model in vain. */
import { sliceBars, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import { countAnswers, type AnswerColumns } from './answers.ts';

/** Over all instruments: sessions of which a model was asked, and of those the ones without an answer, or with one that proves nothing. */
export interface AnswerCounts {
  readonly asked: number;
  readonly failed: number;
  readonly inSample: number;
}

/** Above this share of sessions without an answer the result is that of the fallback and not of the model. */
export const UNANSWERED_SHARE_MAX = 0.2;

interface Asked {
  readonly bars: Bars;
  readonly answers?: AnswerColumns | undefined;
}

/** From `from` to `to`, open times in ms UTC; undefined where nobody was asked. */
export function answerCounts(
  instruments: readonly Asked[],
  { from, to }: { readonly from: number; readonly to: number },
): AnswerCounts | undefined {
  const counts = instruments.flatMap(({ bars, answers }) => {
    const { openTime } = bars;
    const own = sliceBars(bars, lowerBound(openTime, from), lowerBound(openTime, to + 1));
    return answers ? [countAnswers(own, answers)] : [];
  });
  if (counts.length === 0) return undefined;
  const sum = (name: keyof AnswerCounts): number =>
    counts.reduce((total, one) => total + one[name], 0);
  return { asked: sum('asked'), failed: sum('failed'), inSample: sum('inSample') };
}

/** `no answer for 230 of 252 sessions`; undefined where each has one. */
export const unansweredText = (counts: AnswerCounts | undefined): string | undefined =>
  counts === undefined || counts.failed === 0
    ? undefined
    : `no answer for ${counts.failed} of ${counts.asked} sessions`;

export const tooFewAnswers = (counts: AnswerCounts | undefined): boolean =>
  counts !== undefined && counts.failed > UNANSWERED_SHARE_MAX * counts.asked;
