import { composeAlert } from '../core/alerts/index.ts';
import { recordAlert } from './alerts.ts';
import type { Trx } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import { settledAsOf } from './lifecycle-state.ts';
import type { Promotion } from './promotions.ts';

/** A switch in the story of the model and as an alert, in the transaction of the switch itself. */
export async function tellOfSwitch(
  trx: Trx,
  { id, model, version, kind, actor, reason }: Promotion,
  { generation, former }: { readonly generation: number; readonly former: number | null },
): Promise<void> {
  const asOf = await settledAsOf(trx, model);
  const back = kind === 'rollback';
  await appendLifecycleEvent(trx, {
    model,
    asOf,
    kind: back ? 'champion.rolled-back' : 'champion.promoted',
    version,
    actor,
    words: back
      ? `Rolled back from version ${former ?? 'none'} to version ${version}: ${reason}`
      : `Version ${version} became champion: ${reason}`,
    payload: { promotionId: id, generation, former },
    dedupeKey: `champion/${generation}`,
  });
  const facts = { model, asOf: asOf?.toISOString() ?? null, version, former, generation, reason };
  await recordAlert(
    trx,
    back
      ? composeAlert('champion.rolled-back', { ...facts, actor })
      : composeAlert('champion.promoted', facts),
  );
}
