/** Answers of endpoints to questions of backtests: asked once, then remembered. */
import type { AdviceFacts, ExchangeRecord } from '../core/advice/index.ts';
import type { Db } from './in-transaction.ts';

/** Keys of one statement. */
const KEYS_MAX = 1_000;

/** What was answered before, by key. */
export async function askedBefore(
  db: Db,
  keys: readonly string[],
): Promise<ReadonlyMap<string, readonly ExchangeRecord[]>> {
  const found = new Map<string, readonly ExchangeRecord[]>();
  for (let from = 0; from < keys.length; from += KEYS_MAX) {
    const rows = await db
      .selectFrom('asked_advice')
      .select(['key', 'exchanges'])
      .where('key', 'in', keys.slice(from, from + KEYS_MAX))
      .execute();
    for (const { key, exchanges } of rows) found.set(key, exchanges);
  }
  return found;
}

export interface AskedAdvice {
  /** sha256 (hex) of all that the answer depends on. */
  readonly key: string;
  /** Version of the prompt. */
  readonly prompt: string;
  readonly facts: AdviceFacts;
  readonly exchanges: readonly ExchangeRecord[];
}

/** Keeps an answer; the first one stays, so that whoever asked meanwhile reads the same. */
export async function keepAsked(db: Db, asked: AskedAdvice): Promise<void> {
  await db
    .insertInto('asked_advice')
    .values({
      ...{ key: asked.key, prompt: asked.prompt, facts: JSON.stringify(asked.facts) },
      exchanges: JSON.stringify(asked.exchanges),
    })
    .onConflict((oc) => oc.column('key').doNothing())
    .execute();
}
