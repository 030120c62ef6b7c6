/** Sizes of a backtest that two endpoints are asked for: which questions, and what became of them. */
import { advisorAnswerSchema, checkerAnswerSchema } from './answer.ts';
import { decideSize } from './agreement.ts';
import { factsText } from './prompt.ts';
import type { AdviceFacts } from './facts.ts';
import type { ExchangeRecord } from './record.ts';
import { ruleReason, sizeReasonOf, type SizedBy, type Sizer, type SizeQuestion } from './sizer.ts';

/** What was asked and what was answered; `undefined`: nobody was asked. */
export type AnswersByFacts = ReadonlyMap<string, readonly ExchangeRecord[]>;

/** Facts are the same question where they are the same text: numbers with six significant digits. */
export const questionText = (facts: AdviceFacts): string => factsText(facts);

/**
 * Collects the questions of a backtest, each once, in the order they come in: the rule answers meanwhile. What the rule
 * stops, and what nothing is known of, is never asked; of the bars before the period only the last, whose size may stand
 * when it begins.
 */
export class QuestionCollector {
  readonly #limit: number;
  readonly #from: number;
  readonly #facts = new Map<string, AdviceFacts>();

  /** `limit`: of different questions; `from`: of the period, ms UTC. */
  constructor(limit: number, from: number) {
    this.#limit = limit;
    this.#from = from;
  }

  /** Asks for one instrument; its questions are complete when the next one's begin. */
  sizer(): Sizer {
    let before: AdviceFacts | undefined;
    const decide = (question: SizeQuestion): SizedBy => {
      const { facts, rule, openTime } = question;
      const asked = rule.stop === null ? facts : undefined;
      if (openTime < this.#from) before = asked;
      else {
        this.#add(before);
        before = undefined;
        this.#add(asked);
      }
      return { size: rule.size, reason: ruleReason(question, 'rule') };
    };
    return { decide };
  }

  #add(facts: AdviceFacts | undefined): void {
    if (facts === undefined || this.#facts.size >= this.#limit) return;
    this.#facts.set(questionText(facts), facts);
  }

  /** By their text. */
  get questions(): ReadonlyMap<string, AdviceFacts> {
    return this.#facts;
  }
}

/** Sizes by answers of endpoints that were asked before. */
export class AskedSizer implements Sizer {
  readonly #answers: AnswersByFacts;
  readonly #tolerancePoints: number;

  constructor(answers: AnswersByFacts, tolerancePoints: number) {
    this.#answers = answers;
    this.#tolerancePoints = tolerancePoints;
  }

  decide(question: SizeQuestion): SizedBy {
    const { facts, rule } = question;
    const answers =
      facts === undefined || rule.stop !== null
        ? undefined
        : this.#answers.get(questionText(facts));
    if (answers === undefined) {
      return { size: rule.size, reason: ruleReason(question, 'over-budget') };
    }
    const of = (role: ExchangeRecord['role']): ExchangeRecord | undefined =>
      answers.find((one) => one.role === role && one.outcome === 'answered');
    const { size, reason } = decideSize(
      rule,
      advisorAnswerSchema.safeParse(of('advisor')).data,
      checkerAnswerSchema.safeParse(of('checker')).data,
      this.#tolerancePoints,
    );
    return { size, reason: sizeReasonOf(reason) };
  }
}

/** Sizes that were really advised, by the open time of their bar; the rule elsewhere. */
export class GivenSizer implements Sizer {
  readonly #sizes: ReadonlyMap<number, number>;

  constructor(sizes: ReadonlyMap<number, number>) {
    this.#sizes = sizes;
  }

  decide(question: SizeQuestion): SizedBy {
    const size = this.#sizes.get(question.openTime);
    if (size !== undefined) return { size, reason: 'given' };
    return { size: question.rule.size, reason: ruleReason(question, 'not-given') };
  }
}
