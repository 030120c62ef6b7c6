import type { Selectable } from 'kysely';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import type { DecisionTable } from './tables.ts';

export type Decision = Selectable<DecisionTable>;

export interface NewDecision {
  /** Also the id of the promotion that an accepted decision asks for. */
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly championVersion: number | null;
  /** Generation of the model that the decision was made on. */
  readonly expectedGeneration: number;
  readonly policy: string;
  readonly verdict: 'accept' | 'reject' | 'continue';
  readonly reasons: readonly string[];
  /** The evidence sheet, JSON. */
  readonly evidence: unknown;
  readonly workflowId?: string | undefined;
}

/** Keeps a decision and its evidence for good; the first one of an id stays, and is what comes back. */
export function recordDecision(db: Db, input: NewDecision): Promise<Decision> {
  return inTransaction(db, async (trx) => {
    const inserted = await trx
      .insertInto('decision')
      .values({
        id: input.id,
        model: input.model,
        version: input.version,
        champion_version: input.championVersion,
        expected_generation: input.expectedGeneration,
        policy: input.policy,
        verdict: input.verdict,
        reasons: JSON.stringify(input.reasons),
        evidence: JSON.stringify(input.evidence),
      })
      .onConflict((oc) => oc.column('id').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!inserted) return (await decisionById(trx, input.id))!;
    await recordAudit(trx, {
      actor: 'policy',
      action: `gate.${input.verdict}`,
      object: `version/${input.model}/${input.version}`,
      after: { decision: input.id, policy: input.policy, reasons: input.reasons },
      workflowId: input.workflowId,
    });
    return inserted;
  });
}

export function decisionById(db: Db, id: string): Promise<Decision | undefined> {
  return db.selectFrom('decision').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Newest first. */
export function listDecisions(db: Db, model: string, limit: number): Promise<Decision[]> {
  return db
    .selectFrom('decision')
    .selectAll()
    .where('model', '=', model)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}
