import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { EXIT, type ApiAddress, type CliContext } from '../../api/cli/output.ts';
import { temporalAway } from '../../api/errors.ts';
import { routeTable } from '../../api/route-table.ts';
import { evaluate } from '../../core/evaluation/index.ts';
import { openDeliveries, recordAttempt } from '../../registry/alerts.ts';
import { appendEvent, endExperiment } from '../../registry/experiments.ts';
import { appendLifecycleEvent } from '../../registry/lifecycle-events.ts';
import { advanceSettledAsOf } from '../../registry/lifecycle-state.ts';
import { endTrial, openTrial } from '../../registry/trials.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { plantClasses } from '../core/evaluation/planted-classes.ts';
import { program, run } from '../support/cli-run.ts';
import { freePort } from '../support/server-process.ts';
import {
  ADMIN,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

/** Bars of which two sources gave some. */
async function addDatasetVersion(db: ApiFixture['db']): Promise<void> {
  const range = (from: string, to = from) => ({ from, to, rows: 1 });
  const ranges = [
    range('2024-01-01', '2024-01-02'),
    ...['04', '06', '08', '10'].map((day) => range(`2024-01-${day}`)),
  ];
  const deliveries = [
    { dataset: 'exchange', role: 'primary', rows: 90, ranges, moreRanges: 5 },
    { dataset: 'folder', role: 'fallback', rows: 10, ranges: [], moreRanges: 0 },
  ];
  await db
    .insertInto('dataset_version')
    .values({
      ...{ hash: 'ab'.repeat(32), instrument: 'KRW-BTC', timeframe: '1h', query: '{}', rows: 100 },
      ...{ first_bar: new Date('2024-01-01'), last_bar: new Date('2024-01-11') },
      ...{ artifact_uri: 'artifact:x', artifact_sha256: 'x', artifact_bytes: 1 },
      ...{ delivered_by: 'exchange (90), folder (10)', deliveries: JSON.stringify(deliveries) },
    })
    .execute();
}

describe('command line', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let server: Server;
  let address: ApiAddress;
  let folder: string;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    const answer = getRequestListener(replica.app.fetch);
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    const { port } = server.address() as AddressInfo;
    address = { url: `http://localhost:${port}`, key: ADMIN };
    folder = await mkdtemp(join(tmpdir(), 'ratchet-cli-'));
    await writeFile(join(folder, 'spec.yaml'), spec('sp500-daily'));
    await writeFile(join(folder, 'typo.yaml'), `${spec('sp500-daily')}lookbak: 60\n`);
    await writeFile(join(folder, 'unknown.yaml'), spec('sp500-dialy'));
    await writeFile(join(folder, 'file.yaml'), spec('bars.csv'));
    await writeFile(join(folder, 'lost.yaml'), spec('lost.csv'));
    await writeFile(join(folder, 'broken.yaml'), 'name: [unclosed');
    await writeFile(join(folder, 'list.yaml'), '- a\n- b\n');
    await writeFile(
      join(folder, 'bars.csv'),
      'date,open,high,low,close,volume\n2020-01-02,1,1,1,1,1\n',
    );
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
    await fixture.close();
  });

  const spec = (dataset: string): string =>
    [
      'name: gspc',
      `model: ${MODEL}`,
      'data:',
      `  sources: [{ dataset: ${dataset} }]`,
      `  instruments: ['${INSTRUMENT}']`,
      'family: naive',
      'seeds: [1]',
      '',
    ].join('\n');

  it('has a command for every route that names one, and a route for every command', () => {
    const ctx = {} as CliContext;
    const commands = program(ctx).commands.flatMap((command) =>
      command.commands.length === 0
        ? [command.name()]
        : command.commands.map((sub) => `${command.name()} ${sub.name()}`),
    );
    const named = new Set(Object.values(routeTable).flatMap((entry) => entry.cli));
    assert.deepEqual([...named].sort(), commands.sort());
  });

  it('shows, promotes, predicts, lists: the way of a first day', async () => {
    assert.match((await run(address, 'models')).text, /index-gspc/);
    assert.match((await run(address, 'versions', MODEL)).text, /It beats naive/);
    const figures = 'weighted loss 1.3 % lower than "nothing changes" (p = 0.010)';
    const verdict = `Better than the naive baseline: ${figures}.`;
    const row = fixture.db.updateTable('model_version').where('model', '=', MODEL);
    await row.where('version', '=', 1).set({ verdict }).execute();
    const listed = await run(address, 'versions', MODEL);
    assert.match(listed.text, /Better than the naive baseline$/m);
    for (const whole of [
      ['--json', 'versions', MODEL],
      ['versions', MODEL, '1'],
    ]) {
      assert.ok((await run(address, ...whole)).text.replaceAll('\\', '').includes(verdict));
    }
    await fixture.promote(1);
    await replica.replica.poll();
    const champion = await run(address, 'champion', MODEL);
    assert.match(champion.text, /version 1 since/);
    const predicted = await run(address, 'predict', MODEL, INSTRUMENT);
    assert.equal(predicted.code, 0, predicted.error);
    assert.match(predicted.text, /80 % interval/);
    assert.match(predicted.text, /as of \d{4}-\d{2}-\d{2}, last close/);
    assert.match(predicted.text, /does NOT beat the naive baseline/);
    for (const command of ['predict', 'signal']) {
      const past = await run(address, command, MODEL, '--as-of', '2019-12-01', '-c', 'mc');
      assert.match(past.text, /^\^GSPC as of 2019-11-29/, `${command}: ${past.error}`);
    }
    const json = await run(address, '--json', 'predict', MODEL, '-c', 'none');
    assert.equal((JSON.parse(json.text) as { version: number }).version, 1);
    await replica.recorder.drain();
    assert.match((await run(address, 'predictions', MODEL)).text, /2020-01-03/);
    const later = await run(address, 'predictions', MODEL, '--as-of-from', '2020-01-04');
    assert.match(later.text, /none recorded yet/, later.error);
    const until = await run(address, 'predictions', MODEL, '--as-of-to', '2020-01-04');
    assert.match(until.text, /2020-01-03/, until.error);
    assert.match((await run(address, 'compare', MODEL, 'h7.rmse')).text, /lower is better/);
    assert.match((await run(address, 'metrics', MODEL)).text, /h7\.rmse/);
    assert.match((await run(address, 'datasets')).text, /sp500-daily/);
    assert.match(
      (await run(address, 'datasets', 'sp500-daily')).text,
      /^dataset[\s\S]+sp500-daily/,
    );
    const unknown = await run(address, 'datasets', 'KRW-BTX');
    assert.deepEqual([unknown.code, unknown.text], [EXIT.notFound, '']);
    assert.match(unknown.error, /no dataset KRW-BTX/);
    assert.doesNotMatch(unknown.hint, /KRW-BTC/, 'nothing of it is known yet');
    await addDatasetVersion(fixture.db);
    const frozen = (await run(address, 'datasets', 'KRW-BTC')).text;
    const spans = '2024-01-01..2024-01-02, 2024-01-04..2024-01-04, 2024-01-06..2024-01-06, 7 more';
    const mistyped = await run(address, '--json', 'datasets', 'KRW-BTX');
    assert.deepEqual([mistyped.code, mistyped.text], [EXIT.notFound, '']);
    assert.match(mistyped.hint, /did you mean "KRW-BTC"/);
    const swapped = await run(address, 'datasets', 'sp500-dialy');
    assert.match(swapped.hint, /did you mean "sp500-daily"/);
    assert.ok(frozen.replaceAll(/\s+/g, ' ').includes(`exchange (primary): 90 (${spans})`), frozen);
    assert.match((await run(address, 'audit')).text, /champion\.switch/);
    assert.match((await run(address, 'mirror', 'rebuild')).text, /3 things will be written/);
    const key = await run(address, 'keys', 'create', 'notebook', '-s', 'read,predict', '-m', MODEL);
    const token = key.text.split('\n')[0]!;
    assert.match(token, /^rk_/);
    assert.equal(key.warnings, '');
    const early = ['keys', 'create', 'early', '-s', 'predict', '-m', `${MODEL},nonsense`];
    for (const argv of [early, ['--json', ...early]]) {
      const made = await run(address, ...argv);
      assert.deepEqual([made.code, made.text.includes('rk_')], [0, true], made.error);
      assert.match(made.warnings, /^warning: there is no model nonsense yet.*\n$/);
    }
    assert.equal((await run({ ...address, key: token }, 'models')).code, 0);
    assert.match((await run(address, 'keys', 'list')).text, /notebook/);
    assert.equal((await run(address, 'keys', 'revoke', token.split('_')[1]!)).code, 0);
  });

  it('replaces a key, and says so where it is the one in use', async () => {
    const made = await run(address, '--json', 'keys', 'create', 'desk', '-s', 'admin');
    const { id, token } = JSON.parse(made.text) as { id: string; token: string };
    const rotated = await run(address, 'keys', 'rotate', id, '--grace', '5');
    assert.equal(rotated.code, 0, rotated.error);
    const lines = rotated.text.trim().split('\n');
    assert.match(lines[0]!, /^rk_/);
    assert.match(lines[1]!, new RegExp(`${id} is valid until 2020-01-03T23:05:00`));
    assert.equal(lines.length, 2);
    const again = await run(address, 'keys', 'rotate', id);
    assert.deepEqual([again.code, /was replaced by/.test(again.error)], [EXIT.refused, true]);
    const own = { ...address, key: lines[0]! };
    const itself = await run(own, 'keys', 'rotate', own.key.split('_')[1]!);
    assert.match(itself.text, /uses the old one itself: .*RATCHET_API_KEY.*keys\/admin\.key/);
    assert.equal((await run({ ...address, key: token }, 'models')).code, 0, 'within the grace');
    assert.equal((await run(address, 'keys', 'rotate', 'rk_all_of_it')).code, EXIT.usage);
  });

  it('tests webhooks: waits for the first attempts and tells how they went', async () => {
    const { alerts } = fixture.orchestrator;
    const tried = async (status: 'delivered' | 'failed', ...argv: string[]) => {
      const before = alerts.length;
      const outcome = run(address, ...argv);
      await eventually('the alert is started', () => alerts.length > before);
      const alertId = alerts.at(-1)!;
      await openDeliveries(fixture.db, alertId, ['ops']);
      const error = status === 'failed' ? 'it answered 404' : null;
      await recordAttempt(fixture.db, { alertId, webhook: 'ops', status, error });
      return outcome;
    };
    const fine = await tried('delivered', 'alerts', 'test');
    assert.deepEqual([fine.code, fine.text], [0, 'ops: delivered\n'], fine.error);
    const json = await tried('delivered', '--json', 'alerts', 'test', 'ops');
    assert.equal((JSON.parse(json.text) as { event: string }).event, 'alert.test');
    const bad = await tried('failed', 'alerts', 'test');
    assert.equal(bad.code, EXIT.failed);
    assert.match(bad.text, /ops: failed: it answered 404/);
    assert.match(bad.error, /1 of 1 did not take it/);
    for (const argv of [['alerts'], ['alerts', 'list', '-e', 'alert.test']]) {
      assert.match((await run(address, ...argv)).text, /alert\.test .*ops: failed/);
    }
    assert.match((await run(address, 'alerts', '-m', 'no-such-model')).text, /nothing yet/);
  });

  it('tells why a model is as it is, its story and its trials; orders and waits', async () => {
    const { db } = fixture;
    const told = await run(address, 'explain', MODEL);
    assert.match(told.text, /index-gspc: watching\n {2}Version 1 is champion/);
    const asOf = new Date('2020-01-02T00:00:00Z');
    const story = { model: MODEL, asOf, kind: 'drift.report', actor: 'monitor' } as const;
    await appendLifecycleEvent(db, { ...story, words: 'No drift', dedupeKey: 'drift-1' });
    const history = await run(address, 'history', MODEL, '-k', 'drift.report');
    assert.match(history.text, /2020-01-02 00:00 .* drift\.report .* monitor .* No drift/);
    assert.match((await run(address, 'trials', MODEL)).text, /no trials yet/);
    const opened = await openTrial(db, {
      ...{ id: 'trial-1', model: MODEL, version: 2, championVersion: 1, generation: 1 },
      ...{ kind: 'manual', policy: 'beats-champion', mode: 'guard', settings: {}, share: 0 },
      ...{ startedAsOf: asOf, gateDecisionId: 'g', experimentId: 'e', words: 'A trial began' },
    });
    assert.equal(opened?.status, 'running');
    assert.match(
      (await run(address, 'trials', MODEL)).text,
      /trial-1 .*2 .*manual, guard .*running/,
    );
    const shown = await run(address, 'trials', MODEL, 'running');
    assert.match(shown.text, /trial-1: v2 against v1[\s\S]*expected +It waits for `approve`/);

    // The lifecycle's part played by hand: the trial ends while the command waits.
    const end = { trialId: 'trial-1', asOf, reasons: ['odd'], actor: 'key-1', words: 'It ended' };
    const other = await run(address, 'reject', MODEL, '-r', 'x', '-v', '3');
    assert.equal(other.code, EXIT.refused);
    assert.match(other.error, /version 2 of index-gspc is on trial \(trial-1\), not version 3/);
    const rejected = run(address, 'reject', MODEL, '-r', 'odd forecasts', '--wait');
    await eventually('the order', () => fixture.orchestrator.orders.length > 0);
    await endTrial(db, { ...end, status: 'rejected' });
    assert.deepEqual([(await rejected).code, (await rejected).error], [EXIT.ok, '']);
    assert.match((await rejected).text, /version 2 of index-gspc \(trial trial-1\) is rejected/);
    assert.match((await run(address, 'freeze', MODEL, '-r', 'year end')).text, /is frozen/);
    assert.match((await run(address, 'unfreeze', MODEL)).text, /is unfrozen/);
    const words = fixture.orchestrator.orders.map(({ update }) => update);
    assert.deepEqual(words, ['reject', 'freeze', 'unfreeze']);

    await advanceSettledAsOf(db, MODEL, new Date('2020-01-03T00:00:00Z'));
    const settled = await run(address, 'settle', MODEL, '--as-of', '2020-01-02', '--wait');
    assert.match(settled.text, /is settled as of 2020-01-02T00:00:00\.000Z/, settled.error);
    const monitored = await run(address, '--json', 'monitor', MODEL);
    assert.equal(
      (JSON.parse(monitored.text) as { workflowId: string }).workflowId,
      `monitor/${MODEL}`,
    );
    assert.equal((await run(address, 'settle', MODEL)).code, EXIT.refused, 'one at a time');
  });

  it('writes the report of the champion or of a version to a file or to stdout', async () => {
    const page = '<!doctype html>\n<title>\u03bc</title>\n';
    const { uri, sha256, bytes } = await fixture.artifacts.put(Buffer.from(page));
    await fixture.db
      .updateTable('model_version')
      .set({ attachments: JSON.stringify([{ name: 'report.html', uri, sha256, bytes }]) })
      .where('version', '=', 1)
      .execute();
    const file = join(folder, 'champion.html');
    const written = await run(address, 'report', MODEL, '-o', file);
    assert.deepEqual([written.code, written.text], [0, `${file}\n`], written.error);
    assert.equal(await readFile(file, 'utf8'), page);
    assert.equal((await run(address, 'report', MODEL, '-v', '1', '-o', '-')).text, page);
    const json = await run(address, '--json', 'report', MODEL, '-o', file);
    assert.deepEqual(JSON.parse(json.text), { model: MODEL, version: 1, path: file });
    const here = process.cwd();
    process.chdir(folder);
    try {
      const named = await run(address, 'report', MODEL);
      assert.equal(basename(named.text.trim()), `report-${MODEL}-v1.html`);
      assert.equal(await readFile(join(folder, `report-${MODEL}-v1.html`), 'utf8'), page);
    } finally {
      process.chdir(here);
    }
    const evaluation = JSON.stringify(evaluate(plantClasses(0.5)));
    const figures = await fixture.artifacts.put(Buffer.from(evaluation));
    await fixture.db
      .updateTable('model_version')
      .set({ evaluation_uri: figures.uri })
      .where('version', '=', 1)
      .execute();
    const text = await run(address, 'report', MODEL, '--text');
    assert.match(text.text, /^index-gspc version 1: .*\n.*\n\n1 bar ahead:\n/, text.error);
    const none = await run(address, 'report', MODEL, '-v', '2', '-o', '-');
    assert.deepEqual([none.code, none.text], [EXIT.notFound, '']);
    assert.match(none.error, /Version 2 of index-gspc has no report/);
    const lost = await run(address, 'report', MODEL, '-o', join(folder, 'no', 'such', 'r.html'));
    assert.equal(lost.code, EXIT.usage);
    assert.match(lost.error, /cannot be written/);
  });

  it('runs a spec, uploads its file, and watches to the end', async () => {
    const started = await run(address, '--json', 'run', join(folder, 'file.yaml'));
    assert.equal(started.code, 0, started.error);
    const { id } = JSON.parse(started.text) as { id: string };
    const payload = { epoch: 1, epochs: 3, loss: 0.5, validLoss: 0.6, seconds: 2 };
    const epoch = { experimentId: id, kind: 'epoch', model: MODEL, seed: 1, payload } as const;
    await appendEvent(fixture.db, epoch);
    await endExperiment(fixture.db, id, { status: 'completed', message: 'version 3' });
    const watched = await run(address, 'watch', id);
    assert.equal(watched.code, 0, watched.error);
    assert.match(
      watched.text,
      /index-gspc seed 1: epoch 1\/3 loss 0\.5000, valid 0\.6000, at most 4s left/,
    );
    assert.match(watched.text, /completed: version 3/);
    const { name } = JSON.parse(started.text) as { name: string };
    assert.match((await run(address, 'watch', name)).text, new RegExp(`^experiment ${id}\n`));
    const failed = await run(address, '--json', 'run', join(folder, 'spec.yaml'));
    const second = (JSON.parse(failed.text) as { id: string }).id;
    await endExperiment(fixture.db, second, { status: 'failed', message: 'quality.failed: holes' });
    const bad = await run(address, 'watch', second);
    assert.equal(bad.code, EXIT.failed);
    assert.match(bad.error, /failed: quality\.failed: holes/);
    assert.match((await run(address, 'experiments', '-s', 'failed')).text, /holes/);
    const newest = await run(address, 'watch', name);
    assert.deepEqual(
      [newest.code, newest.text.split('\n')[0]],
      [EXIT.failed, `experiment ${second}`],
    );
    const cancelled = await run(address, 'cancel', name);
    assert.deepEqual([cancelled.code, /has ended/.test(cancelled.error)], [EXIT.refused, true]);
  });

  it('ends as a failure where one of several models failed, and names it', async () => {
    const started = await run(address, '--json', 'run', join(folder, 'spec.yaml'));
    const { id } = JSON.parse(started.text) as { id: string };
    const versions = [{ model: MODEL, version: 3, promoted: true, verdict: 'Good.' }];
    const failed = [{ model: 'index-ixic', reason: 'no bars of ^IXIC' }];
    const event = { experimentId: id, kind: 'stage', stage: 'failed' } as const;
    const own = { payload: { reason: 'no bars of here' }, dedupeKey: `failed/${MODEL}` };
    await appendEvent(fixture.db, { ...event, model: MODEL, ...own });
    const end = { status: 'completed', message: '1 of 2', payload: { versions, failed } } as const;
    await endExperiment(fixture.db, id, end);
    const watched = await run(address, 'watch', id);
    assert.equal(watched.code, EXIT.failed);
    assert.match(watched.text, /completed: index-gspc version 3 promoted, index-ixic failed/);
    assert.match(watched.error, /but 1 of its models failed: index-ixic \(no bars of \^IXIC\)/);
    assert.match(watched.hint, /finished ones are skipped/);
    const detail = await replica.call('GET', `/api/v1/experiments/${id}`);
    assert.deepEqual(detail.body['failed'], [{ model: MODEL, reason: 'no bars of here' }]);
    // Each model has the end of its own.
    const path = `/api/v1/ml-models/${MODEL}/training-status`;
    const { body } = await replica.call('GET', path);
    assert.deepEqual(
      [body['status'], (body['run'] as unknown as { message: string }).message],
      ['failed', 'no bars of here'],
    );
  });

  it('says what is wrong and what to do, with an exit code', async () => {
    const nobody = { ...address, key: newKeyToken() };
    const gone = { ...address, url: `http://127.0.0.1:${await freePort()}` };
    const file = (name: string): string => join(folder, name);
    const other = await replica.call('POST', '/api/v1/keys', { name: 'p', scopes: ['predict'] });
    const predictOnly = { ...address, key: String(other.body['token']) };
    const bare = { name: 'bare', instruments: [INSTRUMENT] };
    await replica.call('POST', '/api/v1/ml-models', bare);
    const ended = await replica.call('GET', '/api/v1/experiments?status=failed&limit=1');
    const endedId = (ended.body['items'] as unknown as { id: string }[])[0]!.id;
    const mistakes: [ApiAddress, string[], number, RegExp][] = [
      [address, ['run', file('none.yaml')], EXIT.notFound, /there is no file/],
      [address, ['run', file('broken.yaml')], EXIT.usage, /neither YAML nor JSON/],
      [address, ['run', file('list.yaml')], EXIT.usage, /does not hold a spec/],
      [address, ['run', file('typo.yaml')], EXIT.usage, /lookbak[\s\S]*lookback/],
      [address, ['run', file('unknown.yaml')], EXIT.usage, /sp500-dialy[\s\S]*sp500-daily/],
      [address, ['run', file('lost.yaml')], EXIT.notFound, /there is no file[\s\S]*lost\.csv/],
      [address, ['run'], EXIT.usage, /missing required argument/],
      [address, ['watch', '01J99999999999999999999999'], EXIT.notFound, /no experiment/],
      [address, ['watch', 'nonsense'], EXIT.notFound, /no experiment nonsense/],
      [address, ['cancel', 'nope'], EXIT.notFound, /no experiment nope/],
      [gone, ['run', file('spec.yaml'), '--key', 'abc'], EXIT.usage, /--key.*8 to 128 printable/],
      [gone, ['run', file('spec.yaml'), '--key', 'with a space'], EXIT.usage, /--key.*no spaces/],
      [address, ['cancel', endedId], EXIT.refused, /has ended/],
      [address, ['predict', 'no-such-model'], EXIT.notFound, /no model "no-such-model"/],
      [address, ['predict', 'bare'], EXIT.refused, /no champion yet/],
      [address, ['predict', MODEL, '^IXIC'], EXIT.usage, /answers for \^GSPC/],
      [address, ['predict', MODEL, '--as-of', 'yesterday'], EXIT.usage, /ISO 8601/],
      [
        address,
        ['predict', MODEL, '--as-of', '2016-12-01'],
        EXIT.usage,
        /more than the \d+ there are/,
      ],
      [address, ['predict', MODEL, '--as-of', '2035-01-01'], EXIT.usage, /future/],
      [address, ['predict', MODEL, '-v', '99'], EXIT.notFound, /no version 99/],
      [address, ['predict', MODEL, '-c', 'maybe'], EXIT.usage, /Allowed choices/],
      [address, ['promote', MODEL], EXIT.usage, /--version N or --best-by/],
      [address, ['promote', MODEL, '-v', '99'], EXIT.notFound, /no version 99/],
      [address, ['promote', MODEL, '-v', '1'], EXIT.refused, /champion already/],
      [address, ['promote', MODEL, '--best-by', 'nothing'], EXIT.notFound, /Known: .*h7\.rmse/],
      [address, ['promote', MODEL, '-v', '1', '--wait'], EXIT.usage, /unknown option '--wait'/],
      [address, ['rollback', MODEL], EXIT.usage, /required option '-r, --reason <text>'/],
      [address, ['rollback', 'bare', '-r', 'x'], EXIT.refused, /no champion to go back from/],
      [address, ['rollback', MODEL, '-r', 'x', '-v', '2'], EXIT.refused, /never served/],
      [address, ['approve', MODEL], EXIT.refused, /no running trial/],
      [address, ['reject', MODEL, '-r', 'x'], EXIT.refused, /no running trial/],
      [address, ['reject', MODEL], EXIT.usage, /required option '-r, --reason <text>'/],
      [address, ['freeze', MODEL], EXIT.usage, /required option '-r, --reason <text>'/],
      [address, ['freeze', MODEL, '-r', ' '], EXIT.usage, /reason/],
      [address, ['unfreeze', 'no-such-model'], EXIT.notFound, /no model/],
      [address, ['explain', 'no-such-model'], EXIT.notFound, /no model/],
      [address, ['history', MODEL, '-b', 'yesterday'], EXIT.usage, /not the number of an event/],
      [address, ['history', MODEL, '-k', 'gossip'], EXIT.usage, /kind[\s\S]*trial\.ended/],
      [address, ['trials', MODEL, 'running'], EXIT.notFound, /no running trial/],
      [address, ['trials', MODEL, 'trial-9'], EXIT.notFound, /no trial trial-9/],
      [address, ['settle', MODEL, '--as-of', '2999-01-01'], EXIT.usage, /future/],
      [address, ['monitor', MODEL, '--as-of', 'soon'], EXIT.usage, /ISO 8601/],
      [predictOnly, ['freeze', MODEL, '-r', 'x'], EXIT.notAllowed, /scope `promote`/],
      [predictOnly, ['settle', MODEL], EXIT.notAllowed, /scope `experiment`/],
      [address, ['report', 'no-such-model'], EXIT.notFound, /no model "?no-such-model/],
      [address, ['report', 'bare'], EXIT.notFound, /no champion yet/],
      [address, ['report', MODEL, '-v', '99'], EXIT.notFound, /no version 99/],
      [address, ['report', MODEL, '-v', 'latest'], EXIT.usage, /whole number/],
      [predictOnly, ['mirror', 'rebuild'], EXIT.notAllowed, /scope `admin`/],
      [address, ['train', MODEL, '-d', '150'], EXIT.usage, /at least \d+ are needed/],
      [address, ['train', MODEL, '-d', '50'], EXIT.usage, /from 100 to 5000/],
      [address, ['train', 'bare'], EXIT.refused, /neither a template nor a version/],
      [address, ['compare', MODEL, 'nothing'], EXIT.notFound, /Known: .*h7\.rmse/],
      [address, ['model', 'delete', MODEL], EXIT.refused, /force/],
      [address, ['model', 'create', 'bare', '-i', INSTRUMENT], EXIT.refused, /exists/],
      [address, ['model', 'create', 'Big Name', '-i', INSTRUMENT], EXIT.usage, /lower case/],
      [address, ['model', 'update', MODEL], EXIT.usage, /say what to change/],
      [address, ['keys', 'create', 'x', '-s', 'everything'], EXIT.usage, /scopes/],
      [address, ['keys', 'revoke', 'aaaaaaaaaa'], EXIT.notFound, /no key/],
      [address, ['champoin', MODEL], EXIT.usage, /unknown command/],
      [address, ['champion', MODEL, '--at', '2001-01-01'], EXIT.notFound, /no champion at/],
      [nobody, ['models'], EXIT.notAllowed, /not valid, expired or revoked/],
      [predictOnly, ['promote', MODEL, '-v', '2'], EXIT.notAllowed, /scope `promote`/],
      [gone, ['models'], EXIT.notRunning, /not reachable/],
    ];
    for (const [where, argv, code, text] of mistakes) {
      const outcome = await run(where, ...argv);
      const shown = `ratchet ${argv.join(' ')}: exit ${outcome.code}: ${outcome.error}`;
      assert.equal(outcome.code, code, shown);
      assert.match(outcome.error, text, shown);
    }
    assert.match((await run(gone, 'models')).hint, /ratchet up/);
    fixture.orchestrator.away = temporalAway(new Error('gone'));
    const away = await run(address, 'run', file('spec.yaml'));
    assert.deepEqual([away.code, /Temporal/.test(away.error)], [EXIT.notRunning, true]);
  });
});
