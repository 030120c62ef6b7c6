/** Backtests over HTTP: what is refused before anything runs, and the end of one. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const PATH = '/api/v1/backtests';
const spec = (model?: object, dataset = 'sp500-daily') => ({
  name: 'asks',
  data: { sources: [{ dataset }], instruments: [INSTRUMENT], from: '2006-01-01' },
  period: { from: '2015-01-01', to: '2018-12-31' },
  ...(model && { model }),
  strategies: { s: model ? { kind: 'model-signal', by: 'change' } : { kind: 'buy-and-hold' } },
});

describe('backtests', () => {
  let fixture: ApiFixture;
  let api: TestReplica;
  before(async () => {
    fixture = await openApiFixture(2);
    api = await fixture.open('backtests');
  });
  after(() => fixture.close());

  const start = (body: object) => api.call('POST', PATH, body);
  const refused = async (body: object) => {
    const { status, body: answer } = await start(body);
    assert.deepEqual(fixture.orchestrator.backtests.size, 0);
    return [status, answer['code'], answer['detail']];
  };

  it('ask only models that are there', async () => {
    const [status, code, detail] = await refused(spec({ name: 'index-gspx' }));
    assert.deepEqual([status, code], [404, 'model.not-found']);
    assert.match(String(detail), /no model "index-gspx"\. Did you mean "index-gspc"\?/);
    const [, , far] = await refused(spec({ name: 'nope' }));
    assert.doesNotMatch(String(far), /Did you mean/);
    const [, , one] = await refused(spec({ name: 'idnex-{instrument}' }));
    assert.match(String(one), /no model "idnex-gspc"\. Did you mean "index-gspc"\?/);
  });

  it('ask only versions that are there', async () => {
    const [status, code, detail] = await refused(spec({ name: MODEL, version: 9 }));
    assert.deepEqual([status, code], [404, 'version.unknown']);
    assert.equal(detail, `Version 9 of ${MODEL} does not exist; the newest is 2.`);
  });

  it('name only datasets that are there', async () => {
    const { status, body } = await start(spec(undefined, 'sp500-dayly'));
    assert.equal(status, 422);
    assert.match(JSON.stringify(body), /sources\[0\]\.dataset.*Did you mean \\"sp500-daily\\"/);
  });

  it('start with a model that is there', async () => {
    for (const version of [1, 'then', 'champion']) {
      const { status, body } = await start(spec({ name: MODEL, version }));
      assert.equal(status, 202, JSON.stringify(body));
    }
  });

  it('are cancelled once', async () => {
    const { body } = await start(spec());
    const path = `${PATH}/${String(body['id'])}`;
    fixture.orchestrator.backtests.clear();
    const first = await api.call('POST', `${path}/cancel`);
    assert.deepEqual([first.status, first.body['status']], [202, 'cancelled']);
    const again = await api.call('POST', `${path}/cancel`);
    assert.deepEqual([again.status, again.body['code']], [409, 'backtest.ended']);
    assert.match(String(again.body['detail']), /has ended: cancelled/);
  });
});
