/** Reports of predictions computed again that a Schedule asks for: each goes on where the one before it ended. */
import { sql } from 'kysely';
import { ulid } from 'ulid';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { parityColumns, parityReport, type NewParityReport, type ParityReport } from './parity.ts';
import { recordedIn, type RecordedRange, type ServedSpan } from './served-predictions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Nights that were left out, and predictions that were recorded late, are made up for as far as this. */
const CATCH_UP_MS = 31 * DAY_MS;
/** After reports of an earlier release, which went by the time of serving alone, so much is looked at again. */
const OVERLAP_MS = HOUR_MS;
/** Who inserts predictions may hold this up for so long, not longer: meanwhile the others wait too. */
const LOCK_MS = 5_000;

/**
 * The report of a Schedule's slot: one, however often it is asked for. It is about all predictions that were recorded since
 * the newest report of a Schedule that was completed, whenever they were served: each prediction is in one such report.
 */
export async function nightlyParityReport(
  db: Db,
  slot: Date,
  input: Omit<NewParityReport, 'from' | 'to'>,
): Promise<ParityReport> {
  const { model } = input;
  const found = await reportOfSlot(db, model, slot);
  if (found) return found;
  const recordedTo = await intakeSoFar(db);
  return inTransaction(db, async (trx) => {
    const { from, to, recorded } = await nightUntil(trx, model, slot, recordedTo);
    await trx
      .insertInto('parity_report')
      .values({
        ...parityColumns({ ...input, from, to }),
        ...{ id: ulid(), slot },
        ...{ recorded_after: recorded.after, recorded_to: recorded.to },
      })
      .onConflict((oc) => oc.columns(['model', 'slot']).where('slot', 'is not', null).doNothing())
      .execute();
    return (await reportOfSlot(trx, model, slot))!;
  });
}

async function reportOfSlot(db: Db, model: string, slot: Date): Promise<ParityReport | undefined> {
  const row = await db
    .selectFrom('parity_report')
    .selectAll()
    .where('model', '=', model)
    .where('slot', '=', slot)
    .executeTakeFirst();
  return row && parityReport(row);
}

/** Number of the newest prediction: all up to it can be seen now, or never will be. */
function intakeSoFar(db: Db): Promise<string> {
  return inTransaction(db, async (trx) => {
    await sql`SELECT set_config('lock_timeout', ${`${LOCK_MS}ms`}, true)`.execute(trx);
    await sql`SELECT pg_advisory_xact_lock(hashtextextended('prediction-intake', 0))`.execute(trx);
    const { rows } = await sql<{ newest: string }>`
      SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS newest
      FROM prediction_intake`.execute(trx);
    return rows[0]!.newest;
  });
}

interface Night extends Omit<ServedSpan, 'model'> {
  readonly recorded: RecordedRange;
}

/** What the report of a slot is about; its times of serving only say where to look. */
async function nightUntil(trx: Trx, model: string, slot: Date, to: string): Promise<Night> {
  const last = await lastNight(trx, model);
  const after = last?.recorded_to ?? null;
  const at = slot.getTime();
  const earliest = at - CATCH_UP_MS;
  const former = last?.served_to.getTime() ?? at;
  const dayBefore = Math.max(earliest, Math.min(former - OVERLAP_MS, at - DAY_MS));
  const since = after === null ? dayBefore : earliest;
  const { first, newest } = await trx
    .selectFrom('prediction')
    .select((eb) => [
      eb.fn.min<Date | null>('at').as('first'),
      eb.fn.max<Date | null>('at').as('newest'),
    ])
    .where('model', '=', model)
    .where('at', '>=', new Date(since))
    .where(recordedIn({ after, to }))
    .executeTakeFirstOrThrow();
  const begin = after === null ? since : Math.min(first?.getTime() ?? former, former, at - 1);
  return {
    from: new Date(Math.max(begin, earliest)),
    to: new Date(Math.max(at, (newest?.getTime() ?? 0) + 1)),
    recorded: { after, to },
  };
}

const lastNight = (trx: Trx, model: string) =>
  trx
    .selectFrom('parity_report')
    .select(['served_to', 'recorded_to'])
    .where('model', '=', model)
    .where('slot', 'is not', null)
    .where('status', '=', 'completed')
    .orderBy(sql`recorded_to DESC NULLS LAST`)
    .orderBy('slot', 'desc')
    .limit(1)
    .executeTakeFirst();
