import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RangeRow } from '../../core/ranges/index.ts';
import {
  eventually,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

let fixture: ApiFixture;
let api: TestReplica;
before(async () => {
  fixture = await openApiFixture(3);
  api = await fixture.open('then');
  for (const version of [1, 2, 3]) await fixture.promote(version);
  const predict = () => api.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {});
  await eventually('the champion answers', async () => (await predict()).status === 200);
  // The story as it would have been, had the promotions come then.
  const at = (month: string): Date => new Date(`2019-${month}-01T00:00:00Z`);
  for (const [version, from, to] of [
    [1, '07', '09'],
    [2, '09', '11'],
    [3, '11', null],
  ] as const) {
    await fixture.db
      .updateTable('champion')
      .set({ valid_from: at(from), valid_to: to === null ? null : at(to) })
      .where('version', '=', version)
      .execute();
  }
});
after(() => fixture.close());

test('a champion of the past that was deleted leaves its time without answers, and no other', async () => {
  const gone = await api.call('DELETE', `/api/v1/ml-models/${MODEL}/versions/2`);
  assert.equal(gone.status, 204);
  const path = `/api/v1/ml-models/${MODEL}/batch-predict`;
  const range = { from: '2019-06-03', to: '2019-12-31' };
  const { body } = await api.call('POST', path, { range, version: 'then' });
  const lines = String(body['text']).trimEnd().split('\n');
  assert.equal((JSON.parse(lines.pop()!) as { done: boolean }).done, true);
  const rows = lines.map((line) => JSON.parse(line) as RangeRow);
  const codeOf = (row: RangeRow): string => row.problem?.code ?? `version ${row.version}`;
  const months = new Map<string, Set<string>>();
  for (const row of rows) {
    const month = row.at.slice(5, 7);
    months.set(month, (months.get(month) ?? new Set()).add(codeOf(row)));
  }
  const said = [...months].map(([month, codes]) => [month, [...codes].join(' ')]);
  assert.deepEqual(said, [
    ['06', 'champion.none'],
    ['07', 'version 1'],
    ['08', 'version 1'],
    ['09', 'version.unknown'],
    ['10', 'version.unknown'],
    ['11', 'version 3'],
    ['12', 'version 3'],
  ]);
});
