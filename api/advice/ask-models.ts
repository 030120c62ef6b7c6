import {
  advisorAnswerSchema,
  advisorMessages,
  checkerAnswerSchema,
  checkerMessages,
  type AdviceFacts,
  type AdvisorAnswer,
  type CheckerAnswer,
  type ExchangeRecord,
} from '../../core/advice/index.ts';
import type { ChatEndpoint } from './chat-endpoint.ts';

export interface AskedAnswers {
  /** In the order they were asked. */
  readonly exchanges: readonly ExchangeRecord[];
  /** undefined: no valid answer. */
  readonly advisor: AdvisorAnswer | undefined;
  readonly checker: CheckerAnswer | undefined;
}

/** Asks the first endpoint for a size and, where it gave one, the second about that number. */
export async function askModels(
  { advisor, checker }: { readonly advisor: ChatEndpoint; readonly checker: ChatEndpoint },
  facts: AdviceFacts,
): Promise<AskedAnswers> {
  const first = await advisor.ask('advisor', advisorMessages(facts), advisorAnswerSchema);
  if (first.answer === undefined) {
    return { exchanges: [first.record], advisor: undefined, checker: undefined };
  }
  const messages = checkerMessages(facts, first.answer.sizePercent);
  const second = await checker.ask('checker', messages, checkerAnswerSchema);
  const exchanges = [first.record, second.record];
  return { exchanges, advisor: first.answer, checker: second.answer };
}
