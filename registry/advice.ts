import type { Selectable } from 'kysely';
import type { SignalledAdvice } from '../core/backtest/index.ts';
import { PAGE_MAX } from './audit.ts';
import type { Db } from './in-transaction.ts';
import type { PositionAdviceTable } from './tables.ts';

export type PositionAdvice = Selectable<PositionAdviceTable>;

/** Writes a piece of advice; the same id again changes nothing. */
export async function recordAdvice(db: Db, advice: PositionAdvice): Promise<void> {
  await db
    .insertInto('position_advice')
    .values({
      ...advice,
      facts: JSON.stringify(advice.facts),
      exchanges: JSON.stringify(advice.exchanges),
      rule: JSON.stringify(advice.rule),
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .execute();
}

export interface AdviceQuery {
  readonly limit: number;
  /** Id of the last one of the page before. */
  readonly before?: string | undefined;
  readonly model?: string | undefined;
  readonly instrument?: string | undefined;
  /** Only of these models; absent: all, and that of no model. */
  readonly models?: readonly string[] | undefined;
}

/** Newest first. */
export function listAdvice(db: Db, query: AdviceQuery): Promise<PositionAdvice[]> {
  const { limit, before, model, instrument, models } = query;
  return db
    .selectFrom('position_advice')
    .selectAll()
    .$if(before !== undefined, (q) => q.where('id', '<', before ?? ''))
    .$if(model !== undefined, (q) => q.where('model', '=', model ?? ''))
    .$if(instrument !== undefined, (q) => q.where('instrument', '=', instrument ?? ''))
    .$if(models !== undefined, (q) => q.where('model', 'in', [...(models ?? [])]))
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
}

/** Most pieces of advice that a backtest reads of one instrument. */
const GIVEN_MAX = 100_000;

/** What was advised on bars that open in [from, to] (ms UTC), by `knownBy` where it is given, oldest first: for `sizesFromHistory` and `compareHistory`. */
export async function givenAdvice(
  db: Db,
  of: { readonly model: string; readonly instrument: string },
  range: { readonly from: number; readonly to: number; readonly knownBy?: number },
): Promise<SignalledAdvice[]> {
  const rows = await db
    .selectFrom('position_advice')
    .select(['as_of', 'created_at', 'size', 'facts'])
    .where('model', '=', of.model)
    .where('instrument', '=', of.instrument)
    .where('as_of', '>=', new Date(range.from))
    .where('as_of', '<=', new Date(range.to))
    .$if(range.knownBy !== undefined, (q) =>
      q.where('created_at', '<=', new Date(range.knownBy ?? 0)),
    )
    .orderBy('as_of')
    .orderBy('id')
    .limit(GIVEN_MAX)
    .execute();
  return rows.map(({ as_of, created_at, size, facts }) => ({
    asOf: as_of!.getTime(),
    givenAt: created_at.getTime(),
    size,
    score: facts.signal.score,
  }));
}
