import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Command } from 'commander';
import { register } from '../../api/cli/drift.ts';
import { registerLifecycle } from '../../api/cli/lifecycle.ts';
import { EXIT } from '../../api/cli/output.ts';
import {
  calibrateCusum,
  driftReport,
  inputDrift,
  renderDriftReport,
  runCusum,
  startCusum,
  type Calibration,
} from '../../core/drift/index.ts';
import { seededUniform } from '../../core/seeded-uniform.ts';
import { recordDriftReport } from '../../registry/drift.ts';
import { ADMIN, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import { runProgram, type Outcome } from '../support/cli-run.ts';
import { MODEL } from '../support/registry-facts.ts';
import { untilTrue } from '../support/until.ts';

const DAY = 86_400_000;
const FROM = Date.UTC(2017, 0, 1);

describe('ratchet drift', () => {
  let fixture: ApiFixture;
  let server: Server;
  let url: string;
  let folder: string;
  before(async () => {
    fixture = await openApiFixture();
    const replica = await fixture.open('a');
    const answer = getRequestListener(replica.app.fetch);
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
    folder = await mkdtemp(join(tmpdir(), 'ratchet-drift-'));
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
    await fixture.close();
  });

  const run = (...argv: string[]): Promise<Outcome> =>
    runProgram(
      (ctx) => {
        const root = new Command('ratchet').option('--json').exitOverride();
        register(root, ctx);
        registerLifecycle(root, ctx);
        return root;
      },
      () => Promise.resolve({ url, key: ADMIN }),
      argv,
    );

  it('says that there is none yet', async () => {
    const { code, error } = await run('drift', MODEL);
    assert.deepEqual([code, error], [EXIT.notFound, `there is no drift report of ${MODEL} yet`]);
  });

  it('tells verdict, parts, calibration, features, and the reports before', async () => {
    const first = await addReport(fixture, '2019-12-30', 0);
    const second = await addReport(fixture, '2019-12-31', 2);
    const { code, text } = await run('drift', MODEL);
    assert.equal(code, EXIT.ok);
    assert.match(text, new RegExp(`^${MODEL} version 1 as of 2019-12-31 21:30Z: DRIFT\n`));
    assert.match(text, /A retrain is asked for: the forecasts became worse/);
    assert.match(text, /losses +each bar +ALARM 20\d\d-\d\d-\d\d +S /);
    assert.match(text, /inputs +\^GSPC +DRIFT +\d of 4 features/);
    assert.match(
      text,
      /500 of its own losses, threshold c [\d.]+, allowance k [\d.]+, false alarm in an unchanged year 10 %/,
    );
    assert.match(text, /feature +p +PSI +KS +Wasserstein +chi-square\n/);
    assert.ok(text.includes(`report ${second}`));
    assert.match(text, new RegExp(`reports before it[\\s\\S]*2019-12-30 21:30Z +1 .*${first}`));
    const old = await run('drift', MODEL, '--as-of', '2019-12-31');
    assert.match(old.text, /as of 2019-12-30 21:30Z: no drift\n/);
    const before = await run('drift', MODEL, '--as-of', '2019-12-30');
    assert.deepEqual(
      [before.code, before.error],
      [
        EXIT.notFound,
        `${MODEL} has no drift report as of 2019-12-30 or before; the newest is as of 2019-12-31 21:30Z`,
      ],
    );
    const named = await run('--json', 'drift', MODEL, '--report', first);
    assert.equal((JSON.parse(named.text) as { id: string }).id, first);
    const page = join(folder, 'drift.html');
    assert.equal((await run('drift', MODEL, '--page', page)).text, `${page}\n`);
    assert.match(await readFile(page, 'utf8'), /^<!doctype html>/);
    const nowhere = await run('drift', MODEL, '--page', join(folder, 'no', 'such.html'));
    assert.equal(nowhere.code, EXIT.usage);
  });

  it('waits for the report that was asked for, though there are later ones', async () => {
    await fixture.promote(1);
    const waiting = run('monitor', MODEL, '--as-of', '2019-12-27T21:30:00Z', '--wait');
    await untilTrue(() => fixture.orchestrator.slots.length > 0, 'the order');
    await addReport(fixture, '2019-12-27', 0);
    const { code, text, error } = await waiting;
    assert.equal(code, EXIT.ok, error);
    assert.match(text, /as of 2019-12-27T21:30:00.000Z: none\n {2}No drift: losses and inputs/);
    assert.doesNotMatch(text, /A retrain is asked for/);
  });
});

/** Four features and 60 losses since 500 of calibration; `shift` in SDs is added to the newest of both. */
async function addReport(fixture: ApiFixture, day: string, shift: number): Promise<string> {
  const asOf = new Date(`${day}T21:30:00Z`);
  const uniform = seededUniform(7);
  const draw = (): number => Math.sqrt(12) * (uniform() - 0.5);
  const calibration = calibrateCusum(Float64Array.from({ length: 500 }, draw), {
    ...{ perYear: 252, block: 21, seed: 1 },
  }) as Calibration;
  const run = runCusum(
    startCusum(),
    {
      times: Float64Array.from({ length: 60 }, (_, i) => FROM + i * DAY),
      values: Float64Array.from({ length: 60 }, () => draw() + shift),
    },
    calibration,
  );
  const rows = 40 * 30;
  const columns = {
    names: ['a', 'b', 'c', 'd'],
    rows,
    openTime: Float64Array.from({ length: rows }, (_, i) => FROM + i * DAY),
    values: Float64Array.from({ length: rows * 4 }, (_, at) =>
      at >= (rows - 30) * 4 ? draw() + shift : draw(),
    ),
  };
  const report = driftReport({
    ...{ model: MODEL, version: 1, asOf: asOf.getTime(), predictions: [], quality: [] },
    performance: { unit: 'bar', calibration, ...run, path: [...run.path], alarms: [...run.alarms] },
    inputs: [{ instrument: '^GSPC', drift: inputDrift(columns, { window: 30 }) }],
    staleness: [],
    previousInputVerdict: null,
  });
  const { verdict, signals, words } = report;
  const page = await fixture.artifacts.put(Buffer.from(renderDriftReport(report)));
  const facts = { model: MODEL, version: 1, asOf, verdict, signals, words };
  const { row } = await recordDriftReport(fixture.db, { ...facts, report, state: null, page });
  return row.id;
}
