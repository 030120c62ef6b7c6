import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { createParityActivities } from '../../activities/parity.ts';
import type { ParityRef, ParityResult } from '../../activities/contracts-parity.ts';
import { EXIT } from '../../api/cli/output.ts';
import { reportParity } from '../../api/housekeeping.ts';
import { StartSweeper } from '../../api/start-sweeper.ts';
import { listAlerts } from '../../registry/alerts.ts';
import { OPEN_REPORTS, parityReportOrThrow } from '../../registry/parity.ts';
import {
  ADMIN,
  DATASETS,
  eventually,
  memoryLog,
  NOW,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { run as runCommand } from '../support/cli-run.ts';
import { testKeys } from '../support/model-package.ts';
import { MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}/parity`;

describe('parity over HTTP and in a terminal', () => {
  let fixture: ApiFixture;
  let api: TestReplica;
  let server: Server;
  let url: string;
  before(async () => {
    fixture = await openApiFixture(1);
    api = await fixture.open('a');
    await fixture.promote(1);
    const ask = async (body: object) =>
      (await api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, body)).status;
    await eventually('it answers', async () => (await ask({ record: false })) === 200);
    for (let day = 10; day < 30; day++) {
      const asOf = `2019-12-${day}T23:00:00Z`;
      assert.equal(await ask({ asOf, confidence: 'none' }), 200);
    }
    await api.recorder.drain();
    const answer = getRequestListener(api.app.fetch);
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await fixture.close();
  });

  const run = (...argv: string[]) => runCommand({ url, key: ADMIN }, ...argv);
  const parityActivities = () =>
    createParityActivities({
      ...{ db: fixture.db, artifacts: fixture.artifacts, datasets: DATASETS },
      ...{ trustedKeys: testKeys, codeVersion: '0.0.0-test', clock: () => fixture.clock.now },
    });
  /** What the workflow does, by its activities. */
  async function perform(input: {
    model: string;
    asOf: string;
    reportId?: string;
  }): Promise<ParityResult> {
    const activities = parityActivities();
    const opened: ParityRef = await new MockActivityEnvironment().run(activities.openParity, input);
    return new MockActivityEnvironment().run(activities.replayPredictions, opened);
  }
  const asked = async (body: object = { to: '2020-01-04' }): Promise<string> => {
    const answer = await api.call('POST', PATH, body);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    assert.equal(answer.headers.get('location'), `${PATH}/${String(answer.body['id'])}`);
    return String(answer.body['id']);
  };

  const explanation = async () =>
    (await api.call('GET', `/api/v1/ml-models/${MODEL}/explain`)).body as unknown as {
      readonly sentences: readonly string[];
      readonly parity: { readonly reportId: string; readonly different: number } | null;
    };
  /** Explanation, story and metrics name a report and how many it found. */
  async function assertTold(id: string, different: number): Promise<void> {
    const { sentences, parity } = await explanation();
    assert.deepEqual([parity?.reportId, parity?.different], [id, different]);
    const words = new RegExp(
      `${different} come out otherwise \\(bar-altered ${different}\\).*${id}`,
    );
    assert.match(sentences.join(' '), words);
    const { body } = await api.call('GET', `/api/v1/ml-models/${MODEL}/history`);
    const [event] = body['items'] as unknown as { kind: string; words: string }[];
    assert.equal(event?.kind, 'parity.different');
    assert.match(event.words, new RegExp(id));
    await reportParity(api.parts);
    const metrics = await api.call('GET', '/metrics');
    assert.match(
      String(metrics.body['text']),
      new RegExp(`ratchet_parity_different\\{[^}]*${MODEL}[^}]*\\} ${different}\\n`),
    );
  }

  it('says what is replayed, and what was found, with exit code 0', async () => {
    const id = await asked();
    assert.ok(fixture.orchestrator.parities.has(id));
    const waits = await run('parity', MODEL, '--show', id);
    assert.equal(waits.code, EXIT.ok);
    await perform({ model: MODEL, asOf: '', reportId: id });
    const { body } = await api.call('GET', `${PATH}/${id}`);
    const counts = body['counts'] as unknown as Record<string, number>;
    assert.deepEqual(
      [body['status'], counts['replayed'], counts['identical'], body['differences']],
      ['completed', 20, 20, []],
    );
    const shown = await run('parity', MODEL, '--show', id);
    assert.equal(shown.code, EXIT.ok, shown.error);
    assert.match(shown.text, /20 replayed, 20 identical, 0 late, 0 different/);
    const listed = await run('parity', MODEL, '--list');
    assert.match(listed.text, new RegExp(id));
  });

  it('ends with exit code 1 where a bar was altered, and pages what differs', async () => {
    const change = (by: number) =>
      sql`UPDATE bar SET close = close * ${by}::float8
          WHERE open_time::date = '2019-12-20'::date`.execute(fixture.db);
    await change(2);
    const id = await asked();
    try {
      const found = await perform({ model: MODEL, asOf: '', reportId: id });
      assert.ok(found.different > 5, JSON.stringify(found));
      const page = async (query: string) =>
        (await api.call('GET', `${PATH}/${id}?limit=4${query}`)).body;
      const ids: string[] = [];
      let cursor = '';
      do {
        const { differences, nextCursor } = await page(cursor);
        for (const one of differences as unknown as { predictionId: string }[]) {
          ids.push(one.predictionId);
        }
        cursor = nextCursor === null ? '' : `&cursor=${String(nextCursor)}`;
      } while (cursor !== '');
      assert.equal(new Set(ids).size, found.different);
      const shown = await run('parity', MODEL, '--show', id);
      assert.equal(shown.code, EXIT.failed);
      assert.match(shown.error, /come out otherwise/);
      assert.match(shown.text, /bar-altered: The bar 2019-12-20/);
      assert.match(shown.text, /lastClose: served [\d.]+, replayed [\d.]+/);
      const json = await run('--json', 'parity', MODEL, '--show', id);
      assert.equal(json.code, EXIT.failed);
      const told = JSON.parse(json.text) as { counts: { different: number } };
      assert.equal(told.counts.different, found.different);
      await assertTold(id, found.different);
    } finally {
      await change(0.5);
    }
    const again = await asked();
    await perform({ model: MODEL, asOf: '', reportId: again });
    const { sentences } = await explanation();
    assert.ok(!sentences.join(' ').includes(id), 'a later report over its time found none');
  });

  it('of a slot looks at all that was recorded since the one before, once', async () => {
    const slot = new Date(NOW + 3_600_000).toISOString();
    const first = await perform({ model: MODEL, asOf: slot });
    assert.equal(first.replayed, 20);
    assert.deepEqual(await perform({ model: MODEL, asOf: slot }), first, 'a repeat finds it done');
    // Served two hours before the end of that night, recorded after it.
    fixture.clock.now = NOW - 3_600_000;
    const asOf = '2019-12-30T23:00:00Z';
    const path = `/api/v1/ml-models/${MODEL}/predict`;
    assert.equal((await api.call('POST', path, { asOf, confidence: 'none' })).status, 200);
    await api.recorder.drain();
    fixture.clock.now = NOW;
    const night = (n: number) => new Date(NOW + 3_600_000 + n * 86_400_000).toISOString();
    const later = await perform({ model: MODEL, asOf: night(3) });
    assert.deepEqual([later.replayed, later.different], [1, 0]);
    const { served_from: from } = await parityReportOrThrow(fixture.db, later.reportId);
    assert.equal(from.getTime(), NOW - 3_600_000, 'it says from when');
    assert.equal((await perform({ model: MODEL, asOf: night(4) })).replayed, 0);
  });

  it('tells of a night that failed, and not of one that was cancelled', async () => {
    const { openParity, failParity } = parityActivities();
    const fail = async (n: number, cancelled: boolean) => {
      const asOf = new Date(NOW + n * 86_400_000).toISOString();
      const { reportId } = await openParity({ model: MODEL, asOf });
      await failParity({ reportId, reason: 'the store is away', cancelled });
      await failParity({ reportId, reason: 'the store is away', cancelled });
      return reportId;
    };
    await fail(20, true);
    const failed = await fail(21, false);
    const alerts = await listAlerts(fixture.db, { limit: 5, event: 'parity.failed' });
    assert.deepEqual(
      alerts.map(({ payload }) => payload.facts['reportId']),
      [failed],
    );
    const { sentences } = await explanation();
    assert.match(
      sentences.join(' '),
      /could not be computed again in the night of 2020-01-24: the store is away/,
    );
    const story = await run('history', MODEL, '--kind', 'parity.failed');
    assert.match(story.text, /the store is away/);
  });

  it('refuses what cannot be, and more than a few at once', async () => {
    const refused = await api.call('POST', PATH, { from: '2020-01-02', to: '2020-01-01' });
    assert.deepEqual([refused.status, refused.body['code']], [422, 'parity.range']);
    const unknown = await api.call('GET', `${PATH}/01ARZ3NDEKTSV4RRFFQ69G5FAV`);
    assert.deepEqual([unknown.status, unknown.body['code']], [404, 'parity.unknown']);
    for (let i = 0; i < OPEN_REPORTS; i++) await asked({ from: `2019-0${i + 1}-01` });
    const { status, body } = await api.call('POST', PATH, {});
    assert.deepEqual([status, body['code']], [429, 'parity.too-many']);
  });

  it('fails what no workflow runs any more', async () => {
    const open = await fixture.db
      .selectFrom('parity_report')
      .select('id')
      .where('status', '=', 'queued')
      .execute();
    assert.equal(open.length, OPEN_REPORTS);
    fixture.orchestrator.state = 'ended';
    const { db, orchestrator } = fixture;
    const parts = { db, orchestrator, log: memoryLog() };
    await new StartSweeper(parts, () => Date.now() + 60_000).sweep();
    for (const { id } of open) {
      const { status, message } = await parityReportOrThrow(db, id);
      assert.equal(status, 'failed', String(message));
    }
  });
});
