/** Does what was served still come out as it did, and does anybody look? */
import type { Db } from '../../registry/in-transaction.ts';
import {
  parityStandings,
  type EndedParity,
  type ParityStanding,
} from '../../registry/parity-standing.ts';
import type { Watch } from '../schedules.ts';
import type { Finding } from './checks.ts';

const CHECK = 'parity';
/** Nights come every 24 h and may take some; two that are missing are a trouble. */
const OVERDUE_MS = 49 * 3_600_000;

export interface ParityParts {
  readonly db: Db;
  /** How a served model is watched; undefined: nothing serves it. */
  readonly watchOf: (model: string) => Promise<Watch | undefined>;
  /** Wall time, ms. */
  readonly now: number;
}

/** What is wrong with each model, or one finding that says that nothing is. */
export async function checkParity(parts: ParityParts): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  let replayed = 0;
  for (const [model, standing] of await parityStandings(parts.db)) {
    const { night, different } = standing;
    if (different) found.push(differs(different));
    if (night?.status === 'failed') found.push(failed(night));
    else if (await isOverdue(parts, model, standing)) found.push(overdue(night!));
    else replayed += night?.replayed ?? 0;
  }
  if (found.length > 0) return found;
  const detail = `${replayed} served predictions came out the same in the last nights`;
  return [{ check: CHECK, verdict: 'ok', detail }];
}

const differs = ({ model, reportId, different, replayed, byCause }: EndedParity): Finding => ({
  ...{ check: CHECK, verdict: 'failed' },
  detail: `${different} of ${replayed} served predictions of ${model} come out otherwise (${Object.keys(byCause).join(', ')})`,
  fix: `ratchet parity ${model} --show ${reportId}`,
});

const failed = ({ model, message }: EndedParity): Finding => ({
  ...{ check: CHECK, verdict: 'failed' },
  detail: `the last night of ${model} failed: ${message ?? 'no reason given'}`,
  fix: `mend that; then ratchet parity ${model} --wait, or the next night makes up for it`,
});

const overdue = ({ model, slot }: EndedParity): Finding => ({
  ...{ check: CHECK, verdict: 'warning' },
  detail: `nothing of ${model} was computed again since ${slot?.toISOString() ?? 'long'}`,
  fix: 'do workers run? `ratchet status` says so, logs/worker.log why not',
});

/** Of a model that is not watched nothing is due. */
async function isOverdue(
  { watchOf, now }: ParityParts,
  model: string,
  { night }: ParityStanding,
): Promise<boolean> {
  if (!night?.slot || now - night.slot.getTime() < OVERDUE_MS) return false;
  // Where it is not known how it is watched, another check says so.
  const watch = await watchOf(model).catch(() => undefined);
  return watch?.on === true;
}
