/** Where the answers of a backtest lie, by fold and instrument. */
import type { Db } from './in-transaction.ts';
import type { StoredAnswers } from './tables.ts';

export interface FoldAnswers {
  readonly fold: number;
  readonly instrument: string;
  readonly columns: StoredAnswers;
}

/** Keeps what came of one instrument; what is kept already stays. */
export async function keepAnswers(
  db: Db,
  backtestId: string,
  { fold, instrument, columns }: FoldAnswers,
): Promise<void> {
  await db
    .insertInto('backtest_answers')
    .values({ backtest_id: backtestId, fold, instrument, columns: JSON.stringify(columns) })
    .onConflict((oc) => oc.doNothing())
    .execute();
}

/** What is kept, of one fold or of all, in order of folds and instruments. */
export function keptAnswers(db: Db, backtestId: string, fold?: number): Promise<FoldAnswers[]> {
  let select = db
    .selectFrom('backtest_answers')
    .select(['fold', 'instrument', 'columns'])
    .where('backtest_id', '=', backtestId);
  if (fold !== undefined) select = select.where('fold', '=', fold);
  return select.orderBy('fold').orderBy('instrument').execute();
}
