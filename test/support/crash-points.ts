/**
 * Points at which a process can be held, without a hook in the product: a trigger of the test's own waits for an
 * advisory lock inside the statement that a step writes (the transaction is open: nothing of it may stay), or inside
 * its COMMIT (all of it will stay, and nobody hears that it does).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface CrashPoint {
  readonly name: string;
  readonly table: string;
  readonly on: 'INSERT' | 'UPDATE';
  /** SQL on NEW (and OLD of an update); default: any row. */
  readonly when?: string;
  /** Whose transaction it is. */
  readonly writer: 'api' | 'workers';
}

export const MOMENTS = ['before', 'after'] as const;
/** Before the commit: it is lost with its writer. After it: it stands, and its writer never knew. */
export type Moment = (typeof MOMENTS)[number];

export interface Hold {
  /** Resolves when a process stands at the point; fails when `life` ends before any came to it. */
  reached(life: Promise<void>): Promise<void>;
  /** Lets go. `isLost`: the process is dead, so that what it had not committed is rolled back. */
  release(isLost: boolean): Promise<void>;
}

export interface CrashPoints {
  /** From here on the first process that comes to the point stays there until it is let go. */
  hold(point: CrashPoint, moment: Moment): Promise<Hold>;
  close(): Promise<void>;
}

const KEY = 7_000_001;
const LOOK_EVERY_MS = 20;
/** A retrain on busy cores comes to its end well within it. */
const PATIENCE_MS = 120_000;

const WAIT = `CREATE OR REPLACE FUNCTION crash_point() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(${KEY}); RETURN NULL; END $$`;
const WAITING = `SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND objid = ${KEY} AND NOT granted`;

function triggerOf({ table, on, when }: CrashPoint, moment: Moment): string {
  const kind = moment === 'before' ? 'TRIGGER' : 'CONSTRAINT TRIGGER';
  const timing = moment === 'before' ? '' : 'DEFERRABLE INITIALLY DEFERRED';
  const only = when === undefined ? '' : `WHEN (${when})`;
  return `CREATE ${kind} crash_point AFTER ${on} ON ${table} ${timing} FOR EACH ROW ${only}
EXECUTE FUNCTION crash_point()`;
}

export async function openCrashPoints(databaseUrl: string): Promise<CrashPoints> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(WAIT);
  const held = async (): Promise<number[]> =>
    (await client.query<{ pid: number }>(WAITING)).rows.map(({ pid }) => pid);
  return {
    async hold(point, moment) {
      await client.query(`SELECT pg_advisory_lock(${KEY})`);
      await client.query(triggerOf(point, moment));
      return {
        async reached(life) {
          let over = false;
          void life.then(
            () => (over = true),
            () => (over = true),
          );
          for (const end = performance.now() + PATIENCE_MS; ; await sleep(LOOK_EVERY_MS)) {
            if ((await held()).length > 0) return;
            if (over || performance.now() > end) throw new Error(`nothing came to ${point.name}`);
          }
        },
        async release(isLost) {
          if (isLost && moment === 'before') {
            for (const pid of await held()) {
              await client.query('SELECT pg_terminate_backend($1)', [pid]);
            }
          }
          await client.query(`SELECT pg_advisory_unlock_all()`);
          await client.query(`DROP TRIGGER crash_point ON ${point.table}`);
        },
      };
    },
    close: () => client.end(),
  };
}
