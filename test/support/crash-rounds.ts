/** Rounds of one life: interrupted once at a named point, it must leave exactly what it leaves undisturbed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { findLifecycleTroubles } from '../../infra/stack/lifecycle-checks.ts';
import type { LifecycleParts } from '../../infra/stack/lifecycle-trouble.ts';
import { added, readLedger, type Ledger } from './crash-ledger.ts';
import { momentsOf, type CrashPoint, type CrashPoints, type Moment } from './crash-points.ts';
import { until, type Answer, type Product } from './product.ts';
import { seededUniform } from './seeded-uniform.ts';

export const VICTIMS = ['api', 'workers', 'temporal'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Crash {
  readonly point: CrashPoint;
  readonly moment: Moment;
  readonly victim: Victim;
}

const WHEN = { before: 'before its commit', after: 'after its commit', next: 'its next step' };

export const nameOf = ({ point, moment, victim }: Crash): string =>
  `${point.name}, ${WHEN[moment]}: kill -9 of ${victim}`;

/** All there are. */
export const crashCount = (points: readonly CrashPoint[]): number =>
  points.flatMap(momentsOf).length * VICTIMS.length;

/**
 * `count` crashes of all there are: every point in turn, moments and victims drawn by `seed`; all of them where there
 * are no more. Neighbours differ in their victim, so that each has time to become healthy.
 */
export function crashesOf(points: readonly CrashPoint[], count: number, seed: number): Crash[] {
  const uniform = seededUniform(seed);
  const draw = (n: number): number => Math.floor(uniform() * n);
  const [firstPoint, firstVictim] = [draw(points.length), draw(VICTIMS.length)];
  const victim = (at: number): Victim => VICTIMS[(firstVictim + at) % VICTIMS.length]!;
  if (count < crashCount(points)) {
    return Array.from({ length: count }, (_, k) => {
      const point = points[(firstPoint + k) % points.length]!;
      const moments = momentsOf(point);
      const moment = moments[draw(moments.length)]!;
      return { point, moment, victim: victim((k % points.length) + Math.floor(k / points.length)) };
    });
  }
  const places = points.flatMap((point) => momentsOf(point).map((moment) => ({ point, moment })));
  return VICTIMS.flatMap((_, turn) =>
    places.map((place, at) => ({ ...place, victim: victim(turn + at) })),
  );
}

export interface Life {
  readonly product: Product;
  readonly model: string;
  readonly instrument: string;
  readonly parts: LifecycleParts;
  readonly points: CrashPoints;
  /** One promotion, trial or retrain from its cause to its end; it asks again while servers are away. */
  live(): Promise<void>;
}

const databaseOf = ({ product }: Life): string => product.stack.config.databaseUrl!;

/** One round without a crash; what it added. */
export async function undisturbed(life: Life): Promise<Ledger> {
  const before = await readLedger(databaseOf(life));
  await life.live();
  await untilQuiet(life);
  return added(before, await readLedger(databaseOf(life)));
}

/** One round with a crash; it must add the same. */
export async function interrupted(life: Life, crash: Crash, expected: Ledger): Promise<void> {
  const { product, points } = life;
  const before = await readLedger(databaseOf(life));
  const hold = await points.hold(crash.point, crash.moment);
  let living: Promise<void> | undefined;
  try {
    living = life.live();
    await hold.reached(living);
    for (const pid of pidsOf(product, crash.victim)) process.kill(pid, 'SIGKILL');
  } finally {
    await hold.release(crash.victim === crash.point.writer);
    await living;
  }
  await untilQuiet(life);
  assert.deepEqual(added(before, await readLedger(databaseOf(life))), expected);
  await assertInOrder(life);
}

/** Of a server under a guard it is the server itself that is killed. */
function pidsOf({ stack }: Product, victim: Victim): number[] {
  const names = victim === 'workers' ? ['worker', 'training'] : [victim];
  const pids = stack.status().parts.flatMap(({ name, pid }) => {
    if (!names.includes(name)) return [];
    assert.ok(pid !== undefined, `${name} does not run`);
    return victim === 'temporal' ? childrenOf(pid) : [pid];
  });
  assert.ok(pids.length > 0, `nothing to kill of ${victim}`);
  return pids;
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).map(Number);

/** Every process is back, and nothing runs but the lifecycle. */
async function untilQuiet({ product, parts: { client } }: Life): Promise<void> {
  await until('every part to be ready again', async () =>
    product.stack.status().ready ? true : undefined,
  );
  await until('the end of every workflow but the lifecycle', async () => {
    try {
      const query = "ExecutionStatus = 'Running' AND WorkflowType != 'lifecycle'";
      for await (const { workflowId } of client.workflow.list({ query })) {
        const { status } = await client.workflow.getHandle(workflowId).describe();
        if (status.name === 'RUNNING') return undefined;
      }
      return true;
    } catch {
      return undefined;
    }
  });
}

/** The rows agree with Temporal, `ratchet doctor` finds nothing, and the champion answers. */
async function assertInOrder(life: Life): Promise<void> {
  const { product, model, instrument, parts } = life;
  const troubles = await findLifecycleTroubles({ ...parts, settlingMs: 0 });
  assert.deepEqual(
    troubles.map(({ detail }) => detail),
    [],
  );
  const { code, stdout } = await product.cli('doctor');
  assert.equal(code, 0, stdout);
  assert.doesNotMatch(stdout, / {2}(--|!!) {2}(lifecycle|registry)/);
  const { body } = await product.request('GET', `/api/v1/ml-models/${model}/champion`);
  const { version, generation } = body['champion'] as { version: number; generation: number };
  const asked = { instrument, confidence: 'none' };
  await until(
    `version ${version} of generation ${generation} to answer`,
    async () => {
      const answer = await product.request('POST', `/api/v1/ml-models/${model}/predict`, asked);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const answered = [answer.body['version'], answer.body['generation']];
      return answered[0] === version && answered[1] === generation ? true : undefined;
    },
    10_000,
  );
}

/** Asks until it is answered with one of `statuses`: a server that is away, or busy with the same, passes. */
export async function insist(
  product: Product,
  path: string,
  body: object,
  key: string,
): Promise<Answer> {
  return until(`${path} to be accepted`, async () => {
    const headers = { 'idempotency-key': key };
    const answer = await product
      .request('POST', path, body, headers)
      .catch(() => ({ status: 0, body: {}, headers: new Headers() }));
    const passes = [0, 502, 503, 504].includes(answer.status) || isBusy(answer);
    if (passes) return undefined;
    assert.equal(answer.status, 202, `${path}: ${JSON.stringify(answer.body)}`);
    return answer;
  });
}

const isBusy = ({ status, body }: Answer): boolean =>
  status === 409 && (body['code'] === 'slot.running' || body['code'] === 'idempotency.running');
