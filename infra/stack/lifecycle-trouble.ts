import type { Client } from '@temporalio/client';
import type { Db } from '../../registry/in-transaction.ts';
import type { Watch } from '../schedules.ts';
import type { Finding } from './checks.ts';

export const LIFECYCLE_CHECK = 'lifecycle';
const REPAIR = 'ratchet doctor --repair';

export interface LifecycleParts {
  readonly db: Db;
  readonly client: Client;
  /** How a served model is watched; undefined: nothing serves it any more. */
  readonly watchOf: (model: string) => Promise<Watch | undefined>;
  readonly settlingMs?: number;
}

export type Repair = () => Promise<string>;

/** Something that does not fit; `repair` mends it, and says what it did. Repairing twice changes nothing. */
export interface LifecycleTrouble extends Finding {
  readonly repair?: Repair;
}

export const trouble = (detail: string, repair: Repair): LifecycleTrouble => ({
  ...{ check: LIFECYCLE_CHECK, verdict: 'failed', detail, fix: REPAIR, repair },
});
