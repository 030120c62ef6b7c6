import { sql } from 'kysely';
import { inTransaction, type Db } from './in-transaction.ts';

export interface GateTry {
  readonly model: string;
  /** 0: no champion yet. */
  readonly championVersion: number;
  /** Names the rows that were looked at. */
  readonly rowsDigest: string;
  readonly challengerVersion: number;
}

/**
 * Records that a challenger was tested against a champion and says the how manieth test that was (k >= 1).
 * The same test again gives the same k. A new champion starts at 1; one that comes back goes on counting.
 */
export function recordGateTry(db: Db, gateTry: GateTry): Promise<number> {
  return inTransaction(db, async (trx) => {
    // Two deciders at once must not both read the same count.
    await sql`select pg_advisory_xact_lock(hashtext('gate_try'), hashtext(${gateTry.model}))`.execute(
      trx,
    );
    const earlier = await trx
      .selectFrom('gate_try')
      .select('k')
      .where('model', '=', gateTry.model)
      .where('champion_version', '=', gateTry.championVersion)
      .where('challenger_version', '=', gateTry.challengerVersion)
      .where('rows_digest', '=', gateTry.rowsDigest)
      .executeTakeFirst();
    if (earlier) return earlier.k;
    const k = (await countGateTries(trx, gateTry.model, gateTry.championVersion)) + 1;
    await trx
      .insertInto('gate_try')
      .values({
        model: gateTry.model,
        champion_version: gateTry.championVersion,
        rows_digest: gateTry.rowsDigest,
        challenger_version: gateTry.challengerVersion,
        k,
      })
      .execute();
    return k;
  });
}

/** Tests so far of challengers against a champion (0: against none). */
export async function countGateTries(
  db: Db,
  model: string,
  championVersion: number,
): Promise<number> {
  const { tries } = await db
    .selectFrom('gate_try')
    .select((eb) => eb.fn.countAll<string>().as('tries'))
    .where('model', '=', model)
    .where('champion_version', '=', championVersion)
    .executeTakeFirstOrThrow();
  return Number(tries);
}
