/** A model that serves, and what a replay of its predictions finds: real bars, packages, predictor and rows. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { createParityActivities } from '../../activities/parity.ts';
import type { ReplayDeps } from '../../activities/replay-predictions.ts';
import type { Manifest } from '../../core/packages/manifest.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import {
  createParityReport,
  parityReportOrThrow,
  type ParityReport,
} from '../../registry/parity.ts';
import { listParityDifferences, type ParityDifference } from '../../registry/parity-progress.ts';
import {
  DATASETS,
  eventually,
  NOW,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from './api-fixture.ts';
import { testKeys } from './model-package.ts';
import { MODEL } from './registry-facts.ts';

/** Of the code that replays; replicas of the fixture say the same of themselves. */
const CODE = '0.0.0-test';

export interface ReplayedSpan {
  /** Served then or later, ms UTC; default: a day before the fixture's first moment. */
  readonly from?: number;
  readonly to?: number;
  readonly samples?: number;
}

export interface Replayed extends Pick<ParityReport, 'id' | 'status' | 'counts'> {
  /** Calls that it took. */
  readonly calls: number;
  readonly differences: readonly ParityDifference[];
}

export interface ParityScene {
  readonly fixture: ApiFixture;
  readonly api: TestReplica;
  readonly deps: ReplayDeps;
  /** Status of a prediction. */
  ask(body: object, of?: TestReplica): Promise<number>;
  /** Every prediction served until now is in the registry. */
  recorded(of?: TestReplica): Promise<void>;
  /** What a replay finds; `over`: with other parts. */
  replay(span?: ReplayedSpan, over?: Partial<ReplayDeps>): Promise<Replayed>;
  /** A file of the artifact store. */
  pathOf(sha256: string): string;
  manifestOf(packageDigest: string): Promise<Manifest>;
  close(): Promise<void>;
}

/** Packaged versions of `MODEL`, the first of which is champion and answers. */
export async function openParityScene(versions = 2): Promise<ParityScene> {
  const fixture = await openApiFixture(versions);
  const { db, artifacts, clock } = fixture;
  const deps: ReplayDeps = {
    ...{ db, artifacts, datasets: DATASETS, trustedKeys: testKeys, codeVersion: CODE },
    clock: () => clock.now,
  };
  const api = await fixture.open('served');
  await fixture.promote(1);
  const ask = async (body: object, of = api): Promise<number> =>
    (await of.call('POST', `/api/v1/ml-models/${MODEL}/predict`, body)).status;
  await eventually('the champion answers', async () => (await ask({ record: false })) === 200);
  const pathOf = (sha256: string): string =>
    join(fixture.folder, 'artifacts', 'cas', sha256.slice(0, 2), sha256);
  return {
    ...{ fixture, api, deps, ask, pathOf },
    recorded: (of = api) => of.recorder.drain(),
    replay: (span = {}, over = {}) => replay(fixture, { ...deps, ...over }, span),
    manifestOf: async (digest) => JSON.parse(await readFile(pathOf(digest), 'utf8')) as Manifest,
    close: () => fixture.close(),
  };
}

async function replay(
  { db, clock }: ApiFixture,
  deps: ReplayDeps,
  span: ReplayedSpan,
): Promise<Replayed> {
  const id = ulid();
  await inTransaction(db, (trx) =>
    createParityReport(trx, {
      ...{ id, model: MODEL, actor: 'test', requestId: undefined },
      ...{ lateMs: 60_000, samples: span.samples ?? 5 },
      from: new Date(span.from ?? NOW - 86_400_000),
      to: new Date(span.to ?? clock.now + 86_400_000),
    }),
  );
  const activities = createParityActivities(deps);
  const run = <I, O>(work: (input: I) => Promise<O>, input: I): Promise<O> =>
    new MockActivityEnvironment().run(work, input);
  await run(activities.openParity, { model: MODEL, asOf: '', reportId: id });
  let calls = 1;
  while (!(await run(activities.replayPredictions, { reportId: id })).done) calls++;
  const { counts, status } = await parityReportOrThrow(db, id);
  const differences = await listParityDifferences(db, id, { from: 0, limit: 500 });
  return { id, calls, status, counts, differences };
}
