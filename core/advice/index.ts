/** Position advice: which share of a position to take, by two language models that agree, or by a rule. */
export { accountFacts, accountSchema, type Account } from './account.ts';
export {
  ADVICE_REASONS,
  adviceWords,
  byRule,
  decideSize,
  TOLERANCE_POINTS,
  withoutAccount,
  type AdviceDecision,
  type AdviceReason,
} from './agreement.ts';
export {
  advisorAnswerSchema,
  checkerAnswerSchema,
  CONTENT_MAX_CHARS,
  plainText,
  readAnswer,
  type AdvisorAnswer,
  type AnswerFault,
  type CheckerAnswer,
  type ReadAnswer,
} from './answer.ts';
export {
  AskedSizer,
  GivenSizer,
  QuestionCollector,
  questionText,
  type AnswersByFacts,
} from './asked.ts';
export {
  backtestAdvice,
  backtestAdviceSchema,
  sizerOf,
  type BacktestAdvice,
  type StrategyAdvice,
} from './backtest-advice.ts';
export { CircuitBreaker } from './breaker.ts';
export {
  accountFactsSchema,
  adviceFactsSchema,
  marketFactsSchema,
  signalFactsSchema,
  type AccountFacts,
  type AdviceFacts,
  type MarketFacts,
  type SignalFacts,
} from './facts.ts';
export { MARKET_WARMUP_BARS, marketFacts, marketFactsAt } from './market.ts';
export {
  advisorMessages,
  checkerMessages,
  PROMPT_VERSION,
  repairMessages,
  type ChatMessage,
} from './prompt.ts';
export {
  EXCHANGE_OUTCOMES,
  exchangeRecordSchema,
  type EndpointRole,
  type ExchangeOutcome,
  type ExchangeRecord,
} from './record.ts';
export { ruleAdvice, ruleSettingsSchema, type RuleAdvice, type RuleSettings } from './rule.ts';
export {
  ruleSizer,
  SIZE_REASONS,
  type SizedBy,
  type Sizer,
  type SizeQuestion,
  type SizeReason,
} from './sizer.ts';
export { TallySizer, type SizeTally } from './tally.ts';
export { boundedSize, SIZE_MAX, SIZE_MIN } from './size.ts';
