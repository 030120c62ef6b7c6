import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from 'ulid';
import { z } from 'zod';
import { RatchetError } from '../core/errors.ts';
import { recordAudit } from '../registry/audit.ts';
import { championHistory, modelGeneration } from '../registry/champions.ts';
import { claimIdempotencyKey, storeIdempotentResponse } from '../registry/idempotency.ts';
import { inTransaction, type Trx } from '../registry/in-transaction.ts';
import { openPromotion, promotionById, type Promotion } from '../registry/promotions.ts';
import type { PromoteRequest } from '../workflows/lifecycle-messages.ts';
import { workflowIds } from '../workflows/messages.ts';
import type { AuthVariables } from './auth.ts';
import { ApiError } from './errors.ts';
import { digestOf, keyReused } from './recorded-start.ts';
import type { UpdateName } from './orchestrator-lifecycle.ts';
import type { ApiParts } from './parts.ts';

/** A request as it came in. */
export interface Ask {
  readonly model: string;
  /** Of the Idempotency-Key. */
  readonly key: string | undefined;
  readonly route: string;
  readonly body: unknown;
  readonly variables: Readonly<AuthVariables>;
}

/** Does the work once per Idempotency-Key; a repeat gets the first answer, another body is refused. */
export function once<T>(parts: ApiParts, ask: Ask, work: (trx: Trx) => Promise<T>): Promise<T> {
  return inTransaction(parts.db, async (trx) => {
    if (ask.key === undefined) return work(trx);
    const claim = { key: ask.key, route: ask.route, bodySha256: digestOf(ask.body) };
    const claimed = await claimIdempotencyKey(trx, claim);
    if (claimed.kind === 'mismatch') throw keyReused();
    if (claimed.kind === 'repeat') return claimed.response as T;
    const answer = await work(trx);
    await storeIdempotentResponse(trx, claim, answer);
    return answer;
  });
}

const ID_CHARS = 32;

/**
 * Id of an order: the same key, body and generation make the same one, so that a repeat after a lost answer
 * is the same Update, also where nothing of the first try was kept here.
 */
export function orderId({ key, route, body, model }: Ask, generation: number): string {
  if (key === undefined) return ulid();
  return createHash('sha256')
    .update(JSON.stringify([key, route, digestOf(body), model, generation]))
    .digest('hex')
    .slice(0, ID_CHARS);
}

/** Short orders are done within moments; who asks should hear whether they were. */
const OUTCOME_MS = 5_000;

export interface JudgedTrial {
  readonly id: string;
  readonly version: number;
}

export interface OrderAccepted {
  readonly requestId: string;
  readonly model: string;
  readonly workflowId: string;
  /** Carried out already; else it is under way. */
  readonly done: boolean;
  /** The trial that was decided on. */
  readonly trial?: JudgedTrial;
}

export interface ShortOrder {
  readonly update: Exclude<UpdateName, 'promote' | 'rollback'>;
  readonly reason: string;
  /** Of a judgement: the version that it is meant for. */
  readonly version?: number | undefined;
  /** Throws where the rows say already that it cannot be; gives the trial that it is about, if it is about one. */
  readonly check: (trx: Trx) => Promise<JudgedTrial | undefined>;
}

/** Sends a short order to the lifecycle of a model. */
export function sendOrder(
  parts: ApiParts,
  ask: Ask,
  { update, reason, version, check }: ShortOrder,
): Promise<OrderAccepted> {
  const { model } = ask;
  return once(parts, ask, async (trx) => {
    const seen = await check(trx);
    const updateId = orderId(ask, await modelGeneration(trx, model));
    const request = {
      ...{ actor: ask.variables.caller.keyId, reason, requestKey: updateId },
      ...(version === undefined ? {} : { version }),
    };
    const order = { model, update, request, updateId, outcomeMs: OUTCOME_MS };
    const { outcome } = await parts.orchestrator.updateLifecycle(order);
    const trial = judgedTrial(outcome) ?? seen;
    return {
      requestId: updateId,
      model,
      workflowId: workflowIds.lifecycle(model),
      done: outcome !== undefined,
      ...(trial === undefined ? {} : { trial }),
    };
  });
}

/** What the lifecycle says it decided on: between the look at the rows and the order another trial may have begun. */
function judgedTrial(outcome: unknown): JudgedTrial | undefined {
  const found = judgedSchema.safeParse(outcome).data;
  return found && { id: found.trialId, version: found.version };
}
const judgedSchema = z.object({ trialId: z.string(), version: z.int() });

export interface PromotionAccepted {
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly expectedGeneration: number;
  readonly workflowId: string;
}

/** The lifecycle answers once the promotion has begun; its row tells what becomes of it. */
const BEGUN_MS = 2_000;
/**
 * A promotion is decided some moments before its workflow ends, as schedules and alerts follow the switch: a next one
 * waits for that, on a busy machine some seconds. A rollback right after a promotion must not be refused.
 */
const ENDING_TRIES = 60;
const ENDING_MS = 200;

export interface PromotionOrder {
  readonly kind: 'promote' | 'rollback';
  readonly version: number;
  readonly reason: string;
  readonly expectedGeneration?: number | undefined;
}

/**
 * Asks the lifecycle to make a version the champion. The audit row commits only once it is accepted.
 * Throws `promotion.conflict` where the champion changed, serves already, or another promotion runs.
 */
export async function orderPromotion(
  parts: ApiParts,
  trx: Trx,
  ask: Ask,
  order: PromotionOrder,
): Promise<PromotionAccepted> {
  const { model, variables } = ask;
  const { version, reason, kind } = order;
  const begun = await begunBefore(trx, ask);
  const expectedGeneration =
    begun?.expected_generation ?? (await generationOrThrow(trx, model, order));
  const promotionId = begun?.id ?? orderId(ask, expectedGeneration);
  const workflowId = workflowIds.lifecycle(model);
  await recordAudit(trx, {
    actor: variables.caller.keyId,
    action: kind === 'promote' ? 'promotion.request' : 'rollback.request',
    object: `version/${model}/${version}`,
    after: { promotionId, reason },
    requestId: variables.requestId,
    workflowId,
  });
  const accepted = { promotionId, model, version, expectedGeneration, workflowId };
  if (begun) return accepted;
  const actor = variables.caller.keyId;
  const request = { promotionId, version, expectedGeneration, kind, actor, reason };
  for (let tried = 0; ; tried++) {
    const refused = await refusalOf(parts, model, request, tried);
    if (refused === undefined) break;
    const changed = (await modelGeneration(trx, model)) !== expectedGeneration;
    if (changed || tried === ENDING_TRIES || (await openPromotion(trx, model))) {
      throw conflict(refused);
    }
    await sleep(ENDING_MS);
  }
  return accepted;
}

/** The promotion that an earlier try of the same request began, whose answer was lost on the way. */
async function begunBefore(trx: Trx, ask: Ask): Promise<Promotion | undefined> {
  if (ask.key === undefined) return undefined;
  const generation = await modelGeneration(trx, ask.model);
  const now = await promotionById(trx, orderId(ask, generation));
  return now ?? (await promotionById(trx, orderId(ask, generation - 1)));
}

async function generationOrThrow(
  trx: Trx,
  model: string,
  { version, expectedGeneration }: PromotionOrder,
): Promise<number> {
  const generation = await modelGeneration(trx, model);
  if (expectedGeneration !== undefined && expectedGeneration !== generation) {
    throw conflict(`The model is at generation ${generation}, not ${expectedGeneration}.`);
  }
  const [current] = await championHistory(trx, model, 1);
  if (current?.valid_to === null && current.version === version) {
    throw conflict(`Version ${version} is the champion already.`);
  }
  if (await openPromotion(trx, model)) {
    throw conflict(`A promotion of ${model} is under way; look again when it has ended.`);
  }
  return generation;
}

/** Why the lifecycle refused, as far as it said so at once; undefined: it goes on. */
async function refusalOf(
  parts: ApiParts,
  model: string,
  request: PromoteRequest,
  tried: number,
): Promise<string | undefined> {
  try {
    await parts.orchestrator.updateLifecycle({
      ...{ model, update: request.kind, request, outcomeMs: BEGUN_MS },
      // A refused order is answered for good: a next try is another one, of the same promotion.
      updateId: `${request.promotionId}/${tried}`,
    });
    return undefined;
  } catch (error) {
    if (error instanceof RatchetError && error.code === CONFLICT) return error.message;
    throw error;
  }
}

const CONFLICT = 'promotion.conflict';

/** Reasons of workflows are clauses: as an answer they are sentences. */
const conflict = (reason: string): ApiError =>
  new ApiError(
    'conflict',
    CONFLICT,
    reason.charAt(0).toUpperCase() + reason.slice(1) + (reason.endsWith('.') ? '' : '.'),
  );
