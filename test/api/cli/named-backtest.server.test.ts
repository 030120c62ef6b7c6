/** Backtests by what people call them: an id, the beginning of one, or a name. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { askedBacktest } from '../../../api/cli/named-backtest.ts';
import type { ApiClient } from '../../../api/cli/http.ts';
import { CliError, EXIT } from '../../../api/cli/output.ts';
import { parseBacktestSpec } from '../../../core/spec/index.ts';
import { createBacktest } from '../../../registry/backtests.ts';
import { inTransaction } from '../../../registry/in-transaction.ts';
import { openApiFixture, type ApiFixture, type TestReplica } from '../../support/api-fixture.ts';

const IDS = {
  old: '01KCAAAAAAAAAAAAAAAAAAAAAA',
  newer: '01KCBBBBBBBBBBBBBBBBBBBBBB',
  other: '01KCBCCCCCCCCCCCCCCCCCCCCC',
};
let fixture: ApiFixture;
let api: TestReplica;
before(async () => {
  fixture = await openApiFixture(1);
  api = await fixture.open('named');
  for (const [name, id] of [
    ['my-rsi', IDS.old],
    ['my-rsi', IDS.newer],
    ['other', IDS.other],
  ] as const) {
    const spec = parseBacktestSpec({
      ...{ name, period: { from: '2015-01-01' }, strategies: { s: { kind: 'buy-and-hold' } } },
      data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
    });
    const row = { id, spec, specHash: 'x', workflowId: `backtest/${id}` };
    await inTransaction(fixture.db, (trx) =>
      createBacktest(trx, { ...row, actor: 'key-1', requestId: undefined }),
    );
  }
});
after(() => fixture.close());

const client: ApiClient = {
  json: async (method: string, path: string, { query = {} } = {}) => {
    const text = new URLSearchParams(query as Record<string, string>).toString();
    const { status, body } = await api.call(method, `${path}?${text}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  },
} as unknown as ApiClient;
const asked = (text: string) => askedBacktest(client, text);

it('an id, its beginning in either case, or the newest of a name, with a strategy or without', async () => {
  assert.deepEqual(await asked(IDS.old), { id: IDS.old });
  assert.deepEqual(await asked('01KCA'), { id: IDS.old });
  assert.deepEqual(await asked('01kcbb'), { id: IDS.newer });
  assert.deepEqual(await asked('my-rsi'), { id: IDS.newer });
  assert.deepEqual(await asked('my-rsi/s'), { id: IDS.newer, strategy: 's' });
  assert.deepEqual(await asked('01KCBC/s'), { id: IDS.other, strategy: 's' });
});

it('what is called nothing, or is the beginning of several, is told so', async () => {
  const wrong: readonly [string, number, RegExp][] = [
    ['01KCB', EXIT.usage, /several backtests begin with 01KCB/],
    ['01KD', EXIT.notFound, /no backtest has the name or the id 01KD/],
    ['my-rsj', EXIT.notFound, /no backtest has the name or the id my-rsj/],
    ['Ünknown name', EXIT.notFound, /no backtest/],
  ];
  for (const [text, code, words] of wrong) {
    await assert.rejects(
      asked(text),
      (error) => error instanceof CliError && error.exitCode === code && words.test(error.message),
      text,
    );
  }
});
