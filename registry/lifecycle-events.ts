import type { Selectable } from 'kysely';
import { PAGE_MAX } from './audit.ts';
import type { Db } from './in-transaction.ts';
import type { LifecycleEventTable } from './tables.ts';

export type LifecycleEvent = Selectable<LifecycleEventTable>;

/** What may stand in the story of a model. */
export const LIFECYCLE_EVENT_KINDS = [
  'champion.promoted',
  'champion.rolled-back',
  'trial.started',
  'trial.refused',
  'trial.step',
  'trial.ended',
  'gate.rejected',
  'drift.report',
  'retrain.started',
  'retrain.postponed',
  'retrain.finished',
  'model.frozen',
  'model.unfrozen',
  'model.retired',
  'parity.different',
  'parity.failed',
] as const;
export type LifecycleEventKind = (typeof LIFECYCLE_EVENT_KINDS)[number];

export interface NewLifecycleEvent {
  readonly model: string;
  /** Market time; null where a person acted outside of it. */
  readonly asOf: Date | null;
  readonly kind: LifecycleEventKind;
  readonly version?: number | undefined;
  /** Id of the key of who asked, or `lifecycle`, `monitor`, `policy`. */
  readonly actor: string;
  /** One plain sentence. */
  readonly words: string;
  readonly payload?: Readonly<Record<string, unknown>> | undefined;
  /** The same key, one row: repeats of an activity tell nothing twice. */
  readonly dedupeKey: string;
}

/** Adds to the story; true when it was new. */
export async function appendLifecycleEvent(db: Db, event: NewLifecycleEvent): Promise<boolean> {
  const row = await db
    .insertInto('lifecycle_event')
    .values({
      model: event.model,
      as_of: event.asOf,
      kind: event.kind,
      version: event.version ?? null,
      actor: event.actor,
      words: event.words,
      payload: JSON.stringify(event.payload ?? {}),
      dedupe_key: event.dedupeKey,
    })
    .onConflict((oc) => oc.columns(['model', 'dedupe_key']).doNothing())
    .returning('seq')
    .executeTakeFirst();
  return row !== undefined;
}

/** Newest first; `before` is the `seq` of the last row of the page before. */
export function listLifecycleEvents(
  db: Db,
  query: {
    readonly model: string;
    readonly limit: number;
    readonly before?: string | undefined;
    readonly kind?: string | undefined;
  },
): Promise<LifecycleEvent[]> {
  const { before, kind } = query;
  return db
    .selectFrom('lifecycle_event')
    .selectAll()
    .where('model', '=', query.model)
    .$if(before !== undefined, (q) => q.where('seq', '<', before ?? ''))
    .$if(kind !== undefined, (q) => q.where('kind', '=', kind ?? ''))
    .orderBy('seq', 'desc')
    .limit(Math.min(query.limit, PAGE_MAX))
    .execute();
}
