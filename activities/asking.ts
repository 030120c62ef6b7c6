import type { Context } from '@temporalio/activity';
import type { AdviceFacts, ExchangeOutcome, ExchangeRecord } from '../core/advice/index.ts';
import { RatchetError } from '../core/errors.ts';
import type { ActivityDeps, AskedModels } from './deps.ts';

/** Questions under way at once: what the API asks of the same endpoints beside it has room left. */
const ASKED_AT_ONCE = 4;
/** Questions in a row that no endpoint answered: then it is away, and nothing of that is kept. */
const SILENT_MAX = 10;
/** An endpoint that wants a pause gets one, twice as long each time, up to this in all. */
const PAUSE_MS = { first: 1_000, most: 60_000, all: 900_000 } as const;

/** It was not asked, or asked for patience. */
const LATER: ReadonlySet<ExchangeOutcome> = new Set(['left-alone', 'rate-limited']);
/** An endpoint did answer, whatever it said. */
const SPOKE: ReadonlySet<ExchangeOutcome> = new Set(['answered', 'invalid']);

export interface Question {
  readonly key: string;
  readonly facts: AdviceFacts;
}
/** Keeps an answer for good. */
export type Keep = (question: Question, exchanges: readonly ExchangeRecord[]) => Promise<void>;

/**
 * Asks questions, some at once, and hands each answer to `keep` when it is there. That an endpoint failed is an answer as
 * well, kept once a later question was answered: a server that is away answers nothing, and leaves nothing behind.
 * Throws `advice.endpoints-away` (to be tried again), and what ends the activity.
 */
export class Asking {
  readonly #models: AskedModels;
  readonly #context: Context;
  readonly #keep: Keep;
  #failed: { readonly question: Question; readonly exchanges: readonly ExchangeRecord[] }[] = [];

  constructor(models: AskedModels, context: Context, keep: Keep) {
    this.#models = models;
    this.#context = context;
    this.#keep = keep;
  }

  /** `onAnswer`: after each. */
  async all(questions: readonly Question[], onAnswer: (done: number) => Promise<void>) {
    let next = 0;
    let done = 0;
    let broken = false;
    const lane = async (): Promise<void> => {
      while (next < questions.length && !broken) {
        const question = questions[next++]!;
        try {
          await this.#one(question);
          await onAnswer(++done);
        } catch (error) {
          broken = true;
          throw error;
        }
      }
    };
    const lanes = Array.from({ length: Math.min(ASKED_AT_ONCE, questions.length) }, lane);
    // All lanes end before this does: what they have under way is kept, or was never asked.
    const settled = await Promise.allSettled(lanes);
    const failure = settled.find((one) => one.status === 'rejected');
    if (failure) throw failure.reason;
    await this.#flush();
  }

  async #one(question: Question): Promise<void> {
    const exchanges = await this.#patiently(question.facts);
    const spoke = exchanges.every(({ outcome }) => SPOKE.has(outcome));
    if (spoke) {
      await this.#flush();
      await this.#keep(question, exchanges);
      return;
    }
    this.#failed.push({ question, exchanges });
    if (this.#failed.length < SILENT_MAX) return;
    throw away(exchanges.at(-1)!);
  }

  async #flush(): Promise<void> {
    const failed = this.#failed;
    this.#failed = [];
    for (const { question, exchanges } of failed) await this.#keep(question, exchanges);
  }

  async #patiently(facts: AdviceFacts): Promise<readonly ExchangeRecord[]> {
    let pause: number = PAUSE_MS.first;
    for (let waited = 0; ; waited += pause, pause = Math.min(PAUSE_MS.most, 2 * pause)) {
      if (this.#context.cancellationSignal.aborted) await this.#context.cancelled;
      const exchanges = await this.#models.ask(facts);
      const later = exchanges.find(({ outcome }) => LATER.has(outcome));
      if (later === undefined) return exchanges;
      if (waited >= PAUSE_MS.all) throw away(later);
      await this.#context.sleep(pause);
    }
  }
}

const away = ({ role, outcome }: ExchangeRecord): RatchetError =>
  new RatchetError(
    'advice.endpoints-away',
    `the ${role} of advice does not answer (${outcome}); what was answered is kept`,
    { permanent: false },
  );

/** Throws `advice.not-configured`. */
export function modelsOrThrow({ askedModels }: Pick<ActivityDeps, 'askedModels'>): AskedModels {
  if (askedModels) return askedModels;
  throw new RatchetError(
    'advice.not-configured',
    'a strategy takes its sizes from endpoints, and ratchet.config.yaml names none (advice.advisor, advice.checker)',
  );
}
