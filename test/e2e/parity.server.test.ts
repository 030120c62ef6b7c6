/** What was really served, computed again by the product that served it: nothing differs until a stored bar does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Client, Connection } from '@temporalio/client';
import { sql } from 'kysely';
import { projectRoot } from '../../infra/project.ts';
import type { ParityCounts } from '../../registry/parity.ts';
import { openDatabase } from '../../registry/db.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { productMissing, smallSpec, startProduct, type Product } from '../support/product.ts';
import { openReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const MODEL = 'small';
const PATH = `/api/v1/ml-models/${MODEL}`;
const SECRET = 'RATCHET_WEBHOOK_SECRET_OPS';
/** What is altered: a day well inside of what is served. */
const DAY = { iso: '2018-08-15', file: '8/15/2018' };

/** A vendor's file of bars, and a webhook, as an operator declares them. */
const configOf = (webhook: string): string => `
datasets:
  vendor-daily:
    source: csv
    root: .
    calendar: nyse
    instruments: ['^GSPC']
    params: { profile: yahoo-us-dates, files: { '^GSPC': bars.csv } }
webhooks:
  ops: { url: '${webhook}', events: [parity.different], allowPrivate: true }
`;

interface Report {
  readonly id: string;
  readonly slot: string | null;
  readonly status: string;
  readonly counts: ParityCounts;
}

describe('parity on a running stack', { skip: productMissing }, () => {
  const here = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-parity-'));
  const file = join(folder, 'bars.csv');
  let webhook: WebhookReceiver;
  let product: Product;
  let db: Db;
  /** Recorded predictions so far. */
  let served = 0;

  before(async () => {
    const packed = readFileSync(join(projectRoot, 'examples/data/index-arch/sp500.csv.gz'));
    writeFileSync(file, gunzipSync(packed));
    webhook = await openReceiver();
    writeFileSync(join(folder, 'ratchet.config.yaml'), configOf(webhook.url));
    process.env[SECRET] = `whsec_${randomBytes(32).toString('base64')}`;
    // Where `up` is called its configuration is looked for.
    process.chdir(folder);
    product = await startProduct();
    const data = { ...smallSpec.data, sources: [{ dataset: 'vendor-daily' }], from: '2012-01-01' };
    const hyperparameters = { ...smallSpec.hyperparameters, epochs: 1 };
    const { status, message } = await product.run({ ...smallSpec, data, hyperparameters });
    assert.equal(status, 'completed', message);
    db = openDatabase(product.stack.config.databaseUrl!, { max: 2 });
  });
  after(async () => {
    await db?.destroy();
    await product?.end();
    await webhook.close();
    process.chdir(here);
    delete process.env[SECRET];
    rmSync(folder, { recursive: true, force: true });
  });

  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await product.request('POST', `${PATH}/${path}`, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  /** All that was answered stands in the registry. */
  const recorded = () =>
    product.until('the predictions in the registry', async () => {
      const row = await db
        .selectFrom('prediction')
        .select((eb) => eb.fn.countAll<string>().as('n'))
        .executeTakeFirstOrThrow();
      return Number(row.n) === served ? true : undefined;
    });
  const days = (from: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) =>
      new Date(Date.parse(from) + i * 86_400_000).toISOString(),
    );
  const parity = (...args: string[]) => product.cli('parity', MODEL, ...args);
  const reports = async (): Promise<readonly Report[]> =>
    (await product.request('GET', `${PATH}/parity`)).body['items'] as readonly Report[];

  it('serves over HTTP: one, with samples, in batches, and ranges, which are not recorded', async () => {
    for (const asOf of days('2018-09-01', 20)) await post('predict', { asOf, confidence: 'none' });
    for (const asOf of days('2018-10-01', 10)) await post('predict', { asOf });
    const asOf = days('2018-01-01', 250);
    const batch = await post('batch-predict', { instruments: ['^GSPC'], asOf });
    assert.equal(batch['failed'], 0);
    await post('predict', {});
    served += 20 + 10 + 250 + 1;
    const range = await product.request('POST', `${PATH}/batch-predict`, {
      range: { from: '2018-03-01', to: '2018-04-01' },
    });
    assert.equal(range.status, 200);
    await recorded();
  });

  it('finds no difference: exit code 0', async () => {
    const { code, stdout, stderr } = await parity('--wait');
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      new RegExp(`${served} replayed, ${served} identical, 0 late, 0 different`),
    );
    assert.match(stdout, /11 with Monte-Carlo confidence: .* the samples of 11/);
  });

  it("leaves alone what a vendor corrects: yesterday's answers were made without it", async () => {
    const text = readFileSync(file, 'utf8');
    const line = text.split('\n').find((one) => one.startsWith(`${DAY.file},`))!;
    const cells = line.split(',');
    cells[4] = cells[5] = String(Number(cells[4]) + 0.25);
    writeFileSync(file, text.replace(line, cells.join(',')));
    const settled = await product.cli('settle', MODEL, '--wait');
    assert.equal(settled.code, 0, settled.stderr);
    const { rows } = await sql<{ n: number }>`
      SELECT count(*)::int AS n FROM bar WHERE revision = 1`.execute(db);
    assert.equal(rows[0]!.n, 1, 'the correction is a revision');
  });

  it('at night looks at what was recorded since, once, and finds none of it otherwise', async () => {
    const connection = await Connection.connect({ address: product.stack.config.temporal.address });
    try {
      const { namespace } = product.stack.config.temporal;
      const client = new Client({ connection, namespace });
      const night = async (nights: number): Promise<Report> => {
        await client.schedule.getHandle(workflowIds.parity(MODEL)).trigger();
        return product.until(`night ${nights}`, async () => {
          const all = (await reports()).filter(({ slot }) => slot !== null);
          const [newest] = all;
          return all.length === nights && newest!.status === 'completed' ? newest : undefined;
        });
      };
      const first = await night(1);
      assert.deepEqual([first.counts.replayed, first.counts.different], [served, 0]);
      await post('predict', { asOf: '2018-11-15', confidence: 'none' });
      served += 1;
      await recorded();
      const second = await night(2);
      assert.deepEqual([second.counts.replayed, second.counts.identical], [1, 1]);
    } finally {
      await connection.close();
    }
  });

  it('finds one close that was altered in the database, names it, and tells', async () => {
    const alter = (by: number) =>
      sql`UPDATE bar SET close = close + ${by}::float8
          WHERE open_time = ${DAY.iso}::timestamptz AND revision = 0`.execute(db);
    await alter(0.25);
    const { code, stdout, stderr } = await parity('--wait', '--limit', '500');
    assert.equal(code, 1, stdout);
    assert.match(stderr, /of \d+ served predictions come out otherwise/);
    assert.match(
      stdout,
      new RegExp(
        `of \\^GSPC, as of ${DAY.iso}.*bar-altered: The bar ${DAY.iso}\\S+ of \\^GSPC closed at`,
      ),
    );
    assert.match(stdout, /lastClose: served 2818\.37\S*, replayed 2818\.62/);
    const [found] = await reports();
    const { different, replayed, byCause } = found!.counts;
    assert.equal(replayed, served);
    // Every answer whose window holds the day rests on it, and no answer before it does.
    assert.ok(different >= 20 && different < 200, `${different}`);
    assert.deepEqual(byCause, { 'bar-altered': different });
    await told(found!.id, different);
    await alter(-0.25);
    const again = await parity('--wait');
    assert.equal(again.code, 0, again.stderr);
    assert.ok(!(await text('explain')).includes(found!.id), 'a later report found none');
  });

  const text = async (of: string): Promise<string> =>
    JSON.stringify((await product.request('GET', `${PATH}/${of}`)).body);
  /** Everybody who should hear of it does. */
  async function told(id: string, different: number): Promise<void> {
    const sent = await product.until('the webhook', async () => webhook.posts[0]);
    const { type, data } = JSON.parse(sent.body) as { type: string; data: { facts: object } };
    assert.equal(type, 'parity.different');
    assert.deepEqual(data.facts, {
      ...{ reportId: id, different, replayed: served },
      byCause: { 'bar-altered': different },
    });
    assert.match(await text('explain'), new RegExp(`${different} come out otherwise.*${id}`));
    assert.match(await text('history'), new RegExp(`"parity\\.different".*${id}`));
    const doctor = await product.cli('doctor');
    assert.equal(doctor.code, 1);
    assert.match(doctor.stdout, new RegExp(`ratchet parity ${MODEL} --show ${id}`));
  }
});
