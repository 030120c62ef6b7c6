/** What a database holds of a model's life, counted: the same life leaves the same counts, however often it is interrupted. */
import pg from 'pg';

export type Ledger = Readonly<Record<string, number>>;

/** Rows by what they are; not those that a repeat may honestly add (answers of replicas, bars, heartbeats). */
const COUNTS = `
SELECT 'promotion ' || status AS what, count(*)::int AS n FROM promotion GROUP BY 1
UNION ALL SELECT 'champion', count(*)::int FROM champion
UNION ALL SELECT 'champion that serves', count(*)::int FROM champion WHERE valid_to IS NULL
UNION ALL SELECT 'generations', coalesce(sum(generation), 0)::int FROM model_state
UNION ALL SELECT 'version ' || status, count(*)::int FROM model_version GROUP BY 1
UNION ALL SELECT 'decision of ' || CASE WHEN evidence ? 'gateDecision' THEN 'a trial' ELSE 'the gate' END, count(*)::int
  FROM decision GROUP BY 1
UNION ALL SELECT 'trial ' || status, count(*)::int FROM trial GROUP BY 1
UNION ALL SELECT 'retrain ' || status, count(*)::int FROM retrain GROUP BY 1
UNION ALL SELECT 'experiment ' || status, count(*)::int FROM experiment GROUP BY 1
UNION ALL SELECT 'event ' || kind, count(*)::int FROM lifecycle_event GROUP BY 1
UNION ALL SELECT 'alert ' || event, count(*)::int FROM alert GROUP BY 1
UNION ALL SELECT 'audit ' || action, count(*)::int FROM audit GROUP BY 1
UNION ALL SELECT 'outbox ' || kind, count(*)::int FROM outbox GROUP BY 1`;

export async function readLedger(databaseUrl: string): Promise<Ledger> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ what: string; n: number }>(COUNTS);
    return Object.fromEntries(rows.map(({ what, n }) => [what, n]));
  } finally {
    await client.end();
  }
}

/** What was added between two looks, sorted by name; what stayed is left out. */
export function added(before: Ledger, after: Ledger): Ledger {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return Object.fromEntries(
    names
      .map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const)
      .filter(([, n]) => n !== 0),
  );
}
