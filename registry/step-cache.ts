import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { RatchetError } from '../core/errors.ts';
import { canonicalJson } from '../core/spec/canonical-json.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { Db } from './in-transaction.ts';

export interface StepCacheDeps {
  readonly db: Db;
  readonly artifacts: Pick<ArtifactStore, 'has'>;
  /** Version of the code when the step declares none of its own. */
  readonly codeVersion: string;
}

export interface CachedStep {
  /** Name of the step, e.g. `build-features`. */
  readonly step: string;
  /** Raised when the step's code gives other results; default: the deployed code's version. */
  readonly version?: string;
  /** Everything the result depends on: hashes of inputs, configuration. JSON values only. */
  readonly key: readonly unknown[];
}

export interface StepOutcome<T> {
  readonly result: T;
  readonly cached: boolean;
}

/** sha256 of what the result depends on. Throws for key parts that JSON cannot say. */
export function stepKey(codeVersion: string, { step, version, key }: CachedStep): string {
  refuseOpaque(key);
  return createHash('sha256')
    .update(canonicalJson([step, version ?? codeVersion, key]))
    .digest('hex');
}

/** A Date, Map or typed array has no JSON of its own: different ones would share one key. */
function refuseOpaque(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
    const message = `${value.constructor.name} cannot be part of a step's key`;
    throw new RatchetError('step.key', message);
  }
  for (const member of Object.values(value)) refuseOpaque(member);
}

/**
 * The result of an equal earlier step, or that of `compute`, which is then kept for ever. A result
 * is JSON (artifact references instead of data); one that names artifacts which no longer exist is
 * computed again. Two computes at once are allowed: their results are equal, the last one stays.
 */
export async function cachedStep<T>(
  deps: StepCacheDeps,
  step: CachedStep,
  compute: () => Promise<T>,
): Promise<StepOutcome<T>> {
  const key = stepKey(deps.codeVersion, step);
  const row = await deps.db
    .selectFrom('step_cache')
    .select('result')
    .where('key', '=', key)
    .executeTakeFirst();
  if (row && (await allExist(deps.artifacts, row.result))) {
    return { result: row.result as T, cached: true };
  }
  const result = await compute();
  const json = JSON.stringify(result);
  await deps.db
    .insertInto('step_cache')
    .values({ key, step: step.step, result: json })
    .onConflict((oc) => oc.column('key').doUpdateSet({ result: json }))
    .execute();
  return { result, cached: false };
}

const keptFit = z.looseObject({
  fitted: z.looseObject({ uri: z.string(), sha256: z.string(), bytes: z.number() }),
});

/** The bundle of a finished fit, by its family and the digest of its weights. */
export async function findFit(
  db: Db,
  family: string,
  weightsDigest: string,
): Promise<ArtifactRef | undefined> {
  const row = await db
    .selectFrom('step_cache')
    .select('result')
    .where('step', '=', 'fit')
    .where(sql<string>`result ->> 'family'`, '=', family)
    .where(sql<string>`result ->> 'weightsDigest'`, '=', weightsDigest)
    .orderBy('created_at')
    .orderBy('key')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { uri, sha256, bytes } = keptFit.parse(row.result).fitted;
  return { uri, sha256, bytes };
}

async function allExist(artifacts: Pick<ArtifactStore, 'has'>, result: unknown): Promise<boolean> {
  const found = await Promise.all([...artifactDigests(result)].map((sha) => artifacts.has(sha)));
  return found.every(Boolean);
}

/** Digests of all artifact references anywhere in a JSON value. */
export function artifactDigests(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  if ('uri' in value && 'sha256' in value && typeof value.sha256 === 'string') {
    found.add(value.sha256);
  }
  for (const member of Object.values(value)) artifactDigests(member, found);
  return found;
}
