import type { AnswerFault } from './answer.ts';
import type { AdviceFacts } from './facts.ts';
import { SIZE_MAX, SIZE_MIN } from './size.ts';

/** Kept with each advice: the same facts and version give the same prompt. */
export const PROMPT_VERSION = 'advice/1';

export interface ChatMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

const RANGE = `a number from ${SIZE_MIN * 100} to ${SIZE_MAX * 100}`;
const FORM = 'Answer with one JSON object and nothing else: no prose, no code fence.';
const ADVISOR_FORM = `{"sizePercent": ${RANGE}, "reason": a sentence of at most 200 characters}`;
const CHECKER_FORM = `{"verdict": "agree" or "disagree", "sizePercent": ${RANGE}, "reason": a sentence of at most 200 characters}`;

const TASK = [
  'You size positions for a systematic trading account.',
  'A strategy has already decided the side. You only say which share of its full position to take.',
  'The facts are JSON: signal.score above 0 speaks for a rise and is strong from signal.strongScore on;',
  'probability is of a rise; volatility is a year; drawdowns are shares below the highest value; shares are of equity.',
  'Take less for a weak or unproven signal, low confidence, high volatility, or a drawdown. null means unknown.',
].join(' ');

const DIGITS = 6;

/** The facts as JSON, each number with six significant digits; keys in the order of the schema. */
export const factsText = (facts: AdviceFacts): string =>
  JSON.stringify(facts, (_key, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value,
  );

/** What the first endpoint is asked. Facts are numbers and words of ours: there is no text of anybody in it. */
export const advisorMessages = (facts: AdviceFacts): readonly ChatMessage[] => [
  { role: 'system', content: `${TASK} ${FORM} Form: ${ADVISOR_FORM}` },
  { role: 'user', content: factsText(facts) },
];

/** What the second is asked: the first one's number, and not a word of its text. */
export const checkerMessages = (
  facts: AdviceFacts,
  proposedPercent: number,
): readonly ChatMessage[] => [
  {
    role: 'system',
    content:
      `${TASK} Somebody proposed a size, proposedPercent. Judge it by the facts alone: say the size that you would take, ` +
      `and "agree" only if the proposed one is about that. ${FORM} Form: ${CHECKER_FORM}`,
  },
  { role: 'user', content: `{"proposedPercent":${proposedPercent},"facts":${factsText(facts)}}` },
];

const FAULTS: Readonly<Record<AnswerFault, string>> = {
  'too-long': 'it was far too long',
  'no-object': 'there was no JSON object in it',
  'several-objects': 'there was more than one JSON object in it',
  'not-valid': 'a field was missing, of the wrong type, or out of range',
};

/** Asks again, once, after an answer that could not be read. */
export const repairMessages = (
  messages: readonly ChatMessage[],
  fault: AnswerFault,
): readonly ChatMessage[] => [
  ...messages,
  { role: 'user', content: `Your answer could not be used: ${FAULTS[fault]}. ${FORM}` },
];
