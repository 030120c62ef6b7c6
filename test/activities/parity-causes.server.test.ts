/** Each cause of a difference, brought about where it comes from: bars, packages, the process that served, rows. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import type { ReplayDeps } from '../../activities/replay-predictions.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import type { PackageContent } from '../../core/packages/build.ts';
import { generateSigningKeys, trustedKeysFrom } from '../../core/packages/signature.ts';
import { PARITY_CAUSES, type ParityCause } from '../../core/predict/index.ts';
import { appendBars } from '../../registry/bars.ts';
import { servableVersion } from '../../registry/champions.ts';
import { seriesSource, startCollection } from '../../registry/collections.ts';
import type { ParityDifference } from '../../registry/parity-progress.ts';
import { storePackage } from '../../registry/packages.ts';
import { addPackagedVersion, DATASETS, INSTRUMENT } from '../support/api-fixture.ts';
import { walkBars } from '../support/made-bars.ts';
import { HORIZONS, makePackage } from '../support/model-package.ts';
import { openParityScene, type ParityScene, type ReplayedSpan } from '../support/parity-scene.ts';
import { MODEL } from '../support/registry-facts.ts';

const MINUTE_MS = 60_000;
const calendar = calendarFor('nyse');

let scene: ParityScene;
/** A version whose forecasts are never plausible: its fallback answers. */
let implausible: number;
before(async () => {
  scene = await openParityScene();
  const { db, artifacts } = scene.fixture;
  const byHorizon = HORIZONS.map(() => ({ low: 0.5, high: 0.6 }));
  implausible = await addPackagedVersion(db, artifacts, 3, ({ preprocessing, ...rest }) => ({
    ...rest,
    preprocessing: { ...preprocessing, plausible: { sds: 8, byHorizon } },
  }));
});
after(() => scene.close());

interface Asked {
  readonly asOf?: string;
  readonly version?: number;
  readonly confidence?: 'mc' | 'none';
}

/** Serves predictions in a time of their own, and gives that. */
async function serve(...asked: readonly Asked[]): Promise<ReplayedSpan> {
  const { clock } = scene.fixture;
  const from = (clock.now += MINUTE_MS);
  for (const body of asked) {
    clock.now += 1_000;
    assert.equal(await scene.ask({ confidence: 'none', ...body }), 200);
  }
  await scene.recorded();
  return { from, to: (clock.now += MINUTE_MS) };
}

const seen = new Set<ParityCause>();

/** The one difference of a time, of this cause. */
async function only(
  cause: ParityCause,
  span: ReplayedSpan,
  over: Partial<ReplayDeps> = {},
): Promise<ParityDifference> {
  const { counts, differences } = await scene.replay(span, over);
  assert.deepEqual(counts.byCause, { [cause]: 1 }, JSON.stringify(differences));
  seen.add(cause);
  return differences[0]!;
}

async function assertSame(span: ReplayedSpan, replayed: number): Promise<void> {
  const { counts } = await scene.replay(span);
  assert.deepEqual([counts.replayed, counts.identical], [replayed, replayed]);
}

const execute = (statement: ReturnType<typeof sql>) => statement.execute(scene.fixture.db);
const servedIn = ({ from, to }: ReplayedSpan) =>
  sql`model = ${MODEL} AND at >= ${new Date(from!)} AND at < ${new Date(to!)}`;
const fieldsOf = ({ fields }: ParityDifference) => fields.map(({ field }) => field);

/** Runs `work` with another package in the place of version 2's. */
async function withPackage(
  change: (content: PackageContent) => PackageContent,
  work: () => Promise<void>,
): Promise<void> {
  const { db, artifacts } = scene.fixture;
  const own = (await servableVersion(db, MODEL, 2))!.packageDigest;
  const made = await makePackage({ version: 2, seed: 'version-2', monteCarlo: true, change });
  await storePackage(db, artifacts, made.files);
  const set = (digest: string) =>
    db
      .updateTable('model_version')
      .set({ package_digest: digest })
      .where('version', '=', 2)
      .execute();
  await set(made.packageDigest);
  try {
    await work();
  } finally {
    await set(own);
  }
}

/** Runs `work` while the graph of version 2 lies otherwise in the artifact store. */
async function withGraph(
  change: (path: string, bytes: Buffer) => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  const { packageDigest } = (await servableVersion(scene.fixture.db, MODEL, 2))!;
  const { files } = await scene.manifestOf(packageDigest);
  const path = scene.pathOf(files.find((file) => file.path === 'model.onnx')!.sha256);
  const bytes = await readFile(path);
  await change(path, Buffer.from(bytes));
  try {
    await work();
  } finally {
    await writeFile(path, bytes);
  }
}

describe('causes that lie in the package', () => {
  test('another one, and one for other features', async () => {
    const span = await serve({ asOf: '2019-11-05T22:00:00Z', version: 2 });
    await withPackage(
      ({ preprocessing, ...rest }) => ({
        ...rest,
        preprocessing: { ...preprocessing, beatsNaive: !preprocessing.beatsNaive },
      }),
      async () => {
        const { words } = await only('other-package', span);
        assert.match(words, /Package \w+ answered; the version's package is \w+ now/);
      },
    );
    const featureHash = 'cd'.repeat(32);
    await withPackage(
      ({ manifest, ...rest }) => ({ ...rest, manifest: { ...manifest, featureHash } }),
      async () => {
        const { words } = await only('features-changed', span);
        assert.match(words, /technical-152 is not the feature set/);
      },
    );
    await assertSame(span, 1);
  });

  test('damaged, signed by nobody who is trusted, gone', async () => {
    const span = await serve({ asOf: '2019-11-06T22:00:00Z', version: 2 });
    const flip = (path: string, bytes: Buffer): Promise<void> => {
      bytes[1_000]! ^= 1;
      return writeFile(path, bytes);
    };
    await withGraph(flip, async () => void (await only('package-damaged', span)));
    const { publicPem } = generateSigningKeys();
    const strange = { trustedKeys: trustedKeysFrom(publicPem) };
    assert.match((await only('package-damaged', span, strange)).words, /sign/);
    await withGraph(
      (path) => rm(path),
      async () => void (await only('package-gone', span)),
    );
    await assertSame(span, 1);
  });
});

describe('causes that lie in the process that served', () => {
  test('inference that failed there: the fallback answered, and need not have', async () => {
    const { slot } = (await scene.api.host.open(MODEL))!;
    const { session } = slot.opened;
    const sound = Object.getOwnPropertyDescriptor(session, 'run')!;
    const broken = () => Promise.reject(new Error('out of memory'));
    Object.defineProperty(session, 'run', { ...sound, value: broken });
    // No other test asks as of this day: answers are remembered.
    const span = await serve({ asOf: '2019-10-01T21:00:00Z' }).finally(() =>
      Object.defineProperty(session, 'run', sound),
    );
    const found = await only('fallback', span);
    assert.match(found.words, /fallback was naive when it was served, and is null now/);
    assert.ok(fieldsOf(found).includes('h7.change'));
  });

  test('a fallback that the package asks for comes out the same', async () => {
    const span = await serve({ asOf: '2019-10-02T21:00:00Z', version: implausible });
    const { answer } = await scene.fixture.db
      .selectFrom('prediction')
      .select('answer')
      .where(sql<boolean>`${servedIn(span)}`)
      .executeTakeFirstOrThrow();
    assert.equal((answer as { fallbackReason: unknown }).fallbackReason, 'implausible');
    await assertSame(span, 1);
  });

  test('a release that computed otherwise; one that computed the same is no cause', async () => {
    const span = await serve({ asOf: '2019-10-03T21:00:00Z' });
    await execute(sql`UPDATE prediction SET code_version = '0.0.0-former' WHERE ${servedIn(span)}`);
    await assertSame(span, 1);
    await execute(sql`UPDATE prediction SET answer = jsonb_set(answer::jsonb, '{horizons,0,change}',
      to_jsonb((answer #>> '{horizons,0,change}')::float8 * 1.001))::json WHERE ${servedIn(span)}`);
    const found = await only('other-code', span);
    assert.deepEqual(fieldsOf(found), [`h${HORIZONS[0]}.change`]);
    assert.match(found.words, /Code 0.0.0-former answered; 0.0.0-test replays/);
  });

  test('samples that were others', async () => {
    const span = await serve({ asOf: '2019-10-04T21:00:00Z', confidence: 'mc' });
    await assertSame(span, 1);
    await execute(sql`UPDATE prediction SET answer = jsonb_set(answer::jsonb, '{horizons,0,probabilityUp}',
      to_jsonb(0.123))::json WHERE ${servedIn(span)}`);
    const found = await only('samples', span);
    assert.deepEqual(fieldsOf(found), [`h${HORIZONS[0]}.probabilityUp`]);
  });
});

describe('causes that lie in the bars', () => {
  /** Runs `work` while a column of a stored bar has another value. */
  async function withBar(
    column: 'close' | 'volume',
    day: string,
    work: () => Promise<void>,
  ): Promise<void> {
    const change = (by: number) =>
      execute(
        sql`UPDATE bar SET ${sql.ref(column)} = ${sql.ref(column)} * ${by}::float8
            WHERE open_time::date = ${day}::date`,
      );
    await change(2);
    try {
      await work();
    } finally {
      await change(0.5);
    }
  }

  test('altered: its close says so, or an answer before it that agrees; else nothing does', async () => {
    const span = await serve({ asOf: '2019-09-10T21:00:00Z' });
    await withBar('close', '2019-09-10', async () => {
      const { words } = await only('bar-altered', span);
      assert.match(words, /The bar 2019-09-10\S+ of \^GSPC closed at/);
    });
    await withBar('volume', '2019-09-10', async () => {
      const { words } = await only('unknown', span);
      assert.match(words, /was altered, or this machine computes otherwise/);
    });
    const longer = await serve({ asOf: '2019-09-09T21:00:00Z' }, { asOf: '2019-09-10T21:00:00Z' });
    await withBar('volume', '2019-09-10', async () => {
      const { words } = await only('bar-altered', longer);
      assert.match(words, /Answers up to the bar 2019-09-09\S+ of \^GSPC agree/);
    });
    await assertSame(longer, 2);
  });

  test('gone: the last one, or so many that none can be computed', async () => {
    const span = await serve({ asOf: '2019-09-12T21:00:00Z' });
    const without = async (bars: ReturnType<typeof sql>, work: () => Promise<void>) => {
      await execute(sql`CREATE TABLE taken AS SELECT * FROM bar WHERE ${bars}`);
      await execute(sql`DELETE FROM bar WHERE ${bars}`);
      try {
        await work();
      } finally {
        await execute(sql`INSERT INTO bar SELECT * FROM taken`);
        await execute(sql`DROP TABLE taken`);
      }
    };
    await without(sql`open_time::date = '2019-09-12'`, async () => {
      const { words } = await only('bar-gone', span);
      assert.match(words, /The last bar of \^GSPC was 2019-09-12\S+ .* is 2019-09-11\S+ now/);
    });
    await without(sql`open_time < '2019-09-12'`, async () => void (await only('bar-gone', span)));
    await assertSame(span, 1);
  });

  /** Wall time passes, and bars up to there arrive. */
  async function arrive(now: string, bars: number): Promise<void> {
    const { fixture } = scene;
    fixture.clock.now = Date.parse(now);
    const source = seriesSource(DATASETS.get('sp500-daily')!);
    const key = { dataset: 'sp500-daily', instrument: INSTRUMENT, timeframe: '1d' as const };
    const arrivedAt = fixture.clock.now;
    const collectionId = await startCollection(
      fixture.db,
      { ...key, source },
      'primary',
      arrivedAt,
    );
    const all = walkBars(bars, { instrument: INSTRUMENT, from: '2016-11-01' });
    const arrival = { collectionId, arrivedAt, calendar, declaredDelayMs: 0 };
    await appendBars(fixture.db, source, all, arrival);
  }

  test('arrived later than they count as known: a backfill', async () => {
    scene.fixture.clock.now = Date.parse('2020-01-09T20:00:00Z');
    const span = await serve({ asOf: '2020-01-09T12:00:00Z' });
    await assertSame(span, 1);
    // That of Wednesday comes on Friday, and counts as known from its close on.
    await arrive('2020-01-10T23:00:00Z', 801);
    const { words } = await only('arrived-later', span);
    assert.match(words, /The bar 2020-01-08\S+ of \^GSPC .* arrived only at 2020-01-10T23:00/);
  });

  test('known for longer than a replica may be behind', async () => {
    scene.fixture.clock.now = Date.parse('2020-01-13T21:30:00Z');
    // It reads as many bars as it will need, and is not told of newer ones.
    assert.equal(await scene.ask({ record: false }), 200);
    await arrive('2020-01-13T21:30:00Z', 804);
    scene.fixture.clock.now += 10 * MINUTE_MS;
    const found = await only('replica-behind', await serve({}));
    assert.match(found.words, /answered from what was known at 2020-01-\d\dT21:29:59.999Z/);
  });
});

test('every cause was seen', () => {
  assert.deepEqual([...seen].sort(), [...PARITY_CAUSES].sort());
});
