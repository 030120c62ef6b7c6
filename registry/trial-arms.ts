import { sql } from 'kysely';
import type { ArmFacts } from '../core/policies/trial.ts';
import type { Db } from './in-transaction.ts';
import type { PredictionRole } from './tables.ts';

const NOTHING: ArmFacts = { requests: 0, errors: 0, abstained: 0, p95Ms: null };

/**
 * What the arms of a trial did with the requests they got. The challenger's are those it answered (canary)
 * or scored beside an answer (shadow); the champion's those that it answered meanwhile.
 */
export async function trialArms(
  db: Db,
  trial: { readonly id: string; readonly kind: 'shadow' | 'canary' | 'manual' },
): Promise<{ readonly champion: ArmFacts; readonly challenger: ArmFacts }> {
  const rows = await db
    .selectFrom('prediction')
    .where('trial_id', '=', trial.id)
    .groupBy('role')
    .select([
      'role',
      sql<number>`count(*)::int`.as('requests'),
      sql<number>`count(*) filter (where error is not null)::int`.as('errors'),
      sql<number>`count(*) filter (where answer ->> 'abstain' = 'true')::int`.as('abstained'),
      sql<number | null>`percentile_cont(0.95) within group (order by duration_ms)
        filter (where error is null)`.as('p95Ms'),
    ])
    .execute();
  const of = (role: PredictionRole): ArmFacts => {
    const found = rows.find((row) => row.role === role);
    if (!found) return NOTHING;
    const { requests, errors, abstained, p95Ms } = found;
    return { requests, errors, abstained, p95Ms };
  };
  return {
    champion: of('champion'),
    challenger: of(trial.kind === 'canary' ? 'canary' : 'shadow'),
  };
}
