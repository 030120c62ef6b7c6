import type {
  AdviceDecision,
  AdviceFacts,
  ExchangeRecord,
  RuleAdvice,
} from '../core/advice/index.ts';
import type { CreatedAt, Json, Nullable, Timestamp } from './columns.ts';

/** Advice on the size of a position. */
export interface PositionAdviceTable {
  id: string;
  /** null: facts of the caller's own. */
  model: Nullable<string>;
  version: Nullable<number>;
  instrument: Nullable<string>;
  /** Open time of the bar that was asked about. */
  as_of: Nullable<Date>;
  prediction_id: Nullable<string>;
  /** Version of the prompt. */
  prompt: string;
  facts: Json<AdviceFacts>;
  exchanges: Json<readonly ExchangeRecord[]>;
  rule: Json<RuleAdvice>;
  /** 0.05..1. */
  size: number;
  decided_by: AdviceDecision['decidedBy'];
  reason: AdviceDecision['reason'];
  latency_ms: number;
  key_id: string;
  request_id: string;
  created_at: Timestamp;
}

/** An answer to a question of a backtest. */
export interface AskedAdviceTable {
  key: string;
  prompt: string;
  facts: Json<AdviceFacts>;
  exchanges: Json<readonly ExchangeRecord[]>;
  created_at: CreatedAt;
}
