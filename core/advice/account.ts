/** An account as its provider tells it, and the facts that are made of it. */
import { z } from 'zod';
import type { AccountFacts } from './facts.ts';

const POSITIONS_MAX = 1_000;
/** Of other markets than ours, too: they count as exposure, and their names go nowhere. */
const ID_MAX_CHARS = 64;
const MONEY_MAX = 1e15;
const SHARE_MAX = 20;
const money = z.number().min(-MONEY_MAX).max(MONEY_MAX);

/** Fields beside these are not read. Quote currency throughout. */
export const accountSchema = z.object({
  equity: z.number().positive().max(MONEY_MAX),
  cash: money,
  highestEquity: z
    .number()
    .positive()
    .max(MONEY_MAX)
    .optional()
    .describe('Ever; absent: there is no drawdown.'),
  positions: z
    .record(z.string().max(ID_MAX_CHARS), money)
    .refine((all) => Object.keys(all).length <= POSITIONS_MAX, `at most ${POSITIONS_MAX}`)
    .default({})
    .describe('Value by instrument; negative is short.'),
});
export type Account = z.infer<typeof accountSchema>;

const share = (value: number): number => Math.min(SHARE_MAX, Math.max(-SHARE_MAX, value));

/** Shares of equity; those beyond +-20 count as that. */
export function accountFacts(account: Account, instrument: string | null): AccountFacts {
  const { equity, cash, positions, highestEquity = equity } = account;
  const gross = Object.values(positions).reduce((sum, value) => sum + Math.abs(value), 0);
  const held = instrument !== null && Object.hasOwn(positions, instrument);
  return {
    equity,
    cashShare: share(cash / equity),
    exposure: share(gross / equity),
    position: held ? share(positions[instrument]! / equity) : 0,
    drawdown: Math.max(0, 1 - equity / highestEquity),
  };
}
