import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { sql } from 'kysely';
import { Recorder } from '../../api/serving/recorder.ts';
import { eachLine } from '../../api/serving/spool-segments.ts';
import { SEGMENT_BYTES, Spool } from '../../api/serving/spool.ts';
import { predictionJson } from '../../registry/prediction-lines.ts';
import { listPredictions, type PredictionRow } from '../../registry/predictions.ts';
import { memoryLog } from '../support/api-fixture.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { MODEL } from '../support/registry-facts.ts';

const ANSWER = { words: '"Ä" \\ 💡', numbers: [0.1, -1e-7, 1e21], none: null, id: 'x","at":"y' };

const row = (n: number): PredictionRow => ({
  id: `01J${String(n).padStart(23, '0')}`,
  at: '2026-11-20T10:00:00.000Z',
  ...{ batch_id: 'batch', model: MODEL, version: 1, generation: 1, package_digest: 'digest' },
  ...{ instrument: '^GSPC', as_of: '2026-11-19T00:00:00.000Z', request_id: 'request-1' },
  ...{ key_id: 'key', replica_id: 'replica', answer: JSON.stringify(ANSWER), duration_ms: 1.5 },
});

interface Spooled {
  readonly id: string;
  readonly answer: { readonly words?: string };
}

/** All that a segment holds. */
async function heldBy(spool: Spool, sequence: number, much?: boolean) {
  const rows: Spooled[] = [];
  let damaged = 0;
  for await (const some of spool.read(sequence, much)) {
    const lines = Array.from(eachLine(some.text), (line) => predictionJson(line.toString()));
    assert.equal(lines.length, some.count);
    rows.push(...lines.map((line) => JSON.parse(line) as Spooled));
    damaged += some.damaged;
  }
  return { rows, damaged };
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-spool-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('answers in the spool', () => {
  it('writes those of one turn together, before any of them is told that it is kept', () =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder, log: memoryLog() });
      const kept = [1, 2, 3].map((n) => spool.keep(row(n)));
      assert.deepEqual(fs.readdirSync(folder), [], 'nothing yet');
      assert.equal(await kept[0], true);
      const [name] = await readdir(folder);
      const lines = (await readFile(join(folder, name!), 'utf8')).trimEnd().split('\n');
      assert.equal(lines.length, 3);
      assert.deepEqual(await Promise.all(kept), [true, true, true]);
      spool.close();
    }));

  it('writes those of one run before the turn ends, with what waits already', () =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder, log: memoryLog() });
      let ended = false;
      setImmediate(() => (ended = true));
      const waits = spool.keep(row(1));
      const run = [2, 3].map(async (n) => {
        for (let steps = 0; steps < n; steps++) await Promise.resolve();
        return spool.keep(row(n), 'run');
      });
      assert.deepEqual(fs.readdirSync(folder), [], 'nothing yet');
      assert.deepEqual(await Promise.all([waits, ...run]), [true, true, true]);
      assert.equal(ended, false);
      assert.equal(await spool.keep(row(4)), true);
      assert.equal(ended, true);
      assert.equal(await spool.keep(row(5), 'run'), true);
      const sequence = spool.take();
      assert.equal((await heldBy(spool, sequence!)).rows.length, 5);
      spool.close();
    }));

  it('writes groups of any size, of words in any script, and each line whole', () =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder, log: memoryLog() });
      const words = 'Ä€💡'.repeat(2_000);
      for (const [group, long] of [3, 400, 2, 30].entries()) {
        const rows = Array.from({ length: long }, (_, n) => ({
          ...row(1_000 * group + n),
          answer: JSON.stringify({ words: n % 7 === 0 ? words : 'short' }),
        }));
        const kept = rows.map((one) => spool.keep(one));
        assert.ok(spool.append({ ...row(1_000 * group + 999), answer: '{}' }, 'beside'));
        assert.ok((await Promise.all(kept)).every(Boolean));
      }
      let read = 0;
      for (let s = spool.take(); s !== undefined; s = spool.take()) {
        const { rows, damaged } = await heldBy(spool, s);
        assert.deepEqual(await heldBy(spool, s, true), { rows, damaged });
        assert.equal(damaged, 0);
        for (const { id, answer } of rows) {
          const n = Number(id.slice(3)) % 1_000;
          const expected = n % 7 === 0 ? words : 'short';
          assert.equal(answer.words, n === 999 ? undefined : expected);
        }
        read += rows.length;
        await spool.remove(s);
      }
      assert.equal(read, 3 + 400 + 2 + 30 + 4);
      assert.equal(spool.bytes, 0);
      spool.close();
    }));

  it('says no to each of a group that the disk refuses, and to those beyond its capacity', () =>
    withFolder(async (folder) => {
      const spoolFolder = join(folder, 'spool');
      const spool = new Spool({ folder: spoolFolder, log: memoryLog(), now: () => 5 });
      await rm(spoolFolder, { recursive: true });
      const refused = [spool.keep(row(1)), spool.keep(row(2))];
      assert.deepEqual(await Promise.all(refused), [false, false]);
      spool.close();
      const one = new Spool({ folder: join(folder, 'one'), log: memoryLog() });
      assert.equal(await one.keep(row(1)), true);
      const capacity = Math.round(2.5 * one.bytes);
      one.close();
      const small = new Spool({ folder: join(folder, 'small'), log: memoryLog(), capacity });
      const kept = await Promise.all([1, 2, 3, 4].map((n) => small.keep(row(n))));
      assert.deepEqual(kept, [true, true, false, false]);
      assert.ok(small.bytes > 0 && small.bytes <= capacity);
      small.close();
    }));

  for (const truncates of [true, false]) {
    const also = truncates ? '' : ', where nothing can be taken back either';
    it(`tells of each record of a group that the disk cuts whether it stands${also}`, (t) =>
      withFolder(async (folder) => {
        const { writeSync } = fs;
        let room = Number.POSITIVE_INFINITY;
        // As a disk does that is nearly full.
        t.mock.method(fs, 'writeSync', (fd: number, bytes: Uint8Array, from = 0) => {
          const count = Math.min(bytes.length - from, room);
          if (count === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          room -= count;
          return writeSync(fd, bytes, from, count);
        });
        if (!truncates) {
          t.mock.method(fs, 'ftruncateSync', () => {
            throw new Error('not now');
          });
        }
        syncBuiltinESMExports();
        try {
          const spool = new Spool({ folder, log: memoryLog(), now: () => 5 });
          assert.equal(await spool.keep(row(0)), true);
          room = Math.round(1.5 * spool.bytes);
          const told = await Promise.all([1, 2, 3, 4].map((n) => spool.keep(row(n))));
          const sequence = spool.take();
          assert.ok(sequence !== undefined);
          const { rows, damaged } = await heldBy(spool, sequence);
          assert.deepEqual(told, [true, false, false, false]);
          assert.deepEqual(
            rows.map(({ id }) => id),
            [row(0).id, row(1).id],
          );
          assert.equal(damaged, truncates ? 0 : 1);
          const [name] = await readdir(folder);
          assert.equal(spool.bytes, (await readFile(join(folder, name!))).length);
          await spool.remove(sequence);
          assert.equal(spool.bytes, 0);
          spool.close();
        } finally {
          t.mock.restoreAll();
          syncBuiltinESMExports();
        }
      }));
  }

  it('keeps what waits for its turn when it is closed', () =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder, log: memoryLog() });
      const kept = spool.keep(row(1));
      spool.close();
      assert.equal(await kept, true);
      const [name] = await readdir(folder);
      assert.match(await readFile(join(folder, name!), 'utf8'), new RegExp(row(1).id));
    }));

  it('records answers to the letter, also those that an earlier release left as text', () =>
    withFolder(async (folder) => {
      const spoolFolder = join(folder, 'spool');
      await mkdir(spoolFolder);
      const old = JSON.stringify(row(1));
      const line = `${crc32(old).toString(16).padStart(8, '0')} ${old}\n`;
      await writeFile(join(spoolFolder, '0000000001.ndjson'), line);
      const log = memoryLog();
      const spool = new Spool({ folder: spoolFolder, log });
      assert.equal(await spool.keep(row(2)), true);
      const { db, close } = await openTestDatabase();
      try {
        await new Recorder({ db, spool, log, folder }).drain();
        const rows = await listPredictions(db, { model: MODEL, limit: 10 });
        assert.deepEqual(
          rows.map(({ id }) => id),
          [row(2).id, row(1).id],
        );
        for (const { answer } of rows) assert.deepEqual(answer, ANSWER);
        assert.deepEqual(log.lines, []);
      } finally {
        await close();
      }
      spool.close();
    }));

  it('records each once where a crash left segments that are recorded already, whole or in part', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spoolFolder = join(folder, 'spool');
      const first = new Spool({ folder: spoolFolder, log });
      for (let n = 0; n < 100; n++) assert.ok(first.append(row(n)));
      const [left] = await readdir(spoolFolder);
      const again = await readFile(join(spoolFolder, left!));
      const { db, close } = await openTestDatabase();
      const recorded = async () => {
        const rows = await listPredictions(db, { model: MODEL, limit: 500 });
        return rows.map(({ id }) => id).reverse();
      };
      try {
        await new Recorder({ db, spool: first, log, folder }).drain();
        first.close();
        await writeFile(join(spoolFolder, '0000000002.copy'), again);
        const second = new Spool({ folder: spoolFolder, log });
        const rest = Array.from({ length: 60 }, (_, n) => second.keep(row(70 + n)));
        assert.ok((await Promise.all(rest)).every(Boolean));
        await new Recorder({ db, spool: second, log, folder }).drain();
        second.close();
        const all = Array.from({ length: 130 }, (_, n) => row(n).id);
        assert.deepEqual(await recorded(), all);
        assert.deepEqual(await readdir(spoolFolder), []);
        assert.deepEqual(log.lines, []);
      } finally {
        await close();
      }
    }));

  it('records what is in the way of a line to the letter, and sets aside only what no database takes', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spool = new Spool({ folder: join(folder, 'spool'), log });
      const odd = 'tab\t end\n \r back\\slash \\N \\. null \\t';
      const rows: PredictionRow[] = [
        { ...row(1), error: odd, request_id: '\\N', pair_id: '', role: 'shadow' },
        { ...row(2), answer: JSON.stringify({ odd }), trial_id: '\\.', input: 'bars' },
        { ...row(3), version: 2 ** 40 },
        { ...row(4), asked_as_of: '2026-11-20T09:00:00.000Z', code_version: '1', error: null },
        { ...row(5), request_id: 'zero\0' },
        { ...row(6), answer: JSON.stringify({ zero: '0\0', half: '\uD83D', a: '\\u0000 \u0001' }) },
      ];
      for (const one of rows) assert.ok(spool.append(one));
      const { db, close } = await openTestDatabase();
      try {
        await new Recorder({ db, spool, log, folder }).drain();
        const stored = await db.selectFrom('prediction').selectAll().orderBy('id').execute();
        assert.deepEqual(
          stored.map(({ id }) => id),
          [1, 2, 4, 6].map((n) => row(n).id),
        );
        const [first, second, third, fourth] = stored;
        assert.equal(first!.error, odd);
        assert.equal(first!.request_id, '\\N');
        assert.equal(first!.pair_id, '');
        assert.deepEqual([first!.role, first!.input], ['shadow', 'instrument']);
        assert.deepEqual([first!.answer, second!.answer], [ANSWER, { odd }]);
        assert.deepEqual(
          [second!.role, second!.input, second!.trial_id],
          ['champion', 'bars', '\\.'],
        );
        assert.equal(third!.asked_as_of?.toISOString(), '2026-11-20T09:00:00.000Z');
        assert.deepEqual([third!.code_version, third!.error, third!.pair_id], ['1', null, null]);
        const clean = { zero: '0\uFFFD', half: '\uFFFD', a: '\\u0000 \u0001' };
        assert.deepEqual(fourth!.answer, clean);
        const { rows: halves } = await sql<{ half: string }>`
          select answer ->> 'half' as half from prediction order by id`.execute(db);
        assert.deepEqual(halves.at(-1), { half: clean.half });
        const aside = (await readFile(join(folder, 'rejected.ndjson'), 'utf8'))
          .trimEnd()
          .split('\n');
        const ids = aside.map((line) => (JSON.parse(line) as { id: string }).id);
        assert.deepEqual(ids, [row(3).id, row(5).id]);
        assert.equal(log.lines.length, 2);
      } finally {
        await close();
      }
      spool.close();
    }));

  it('records what waited at the beginning of a round, and the rest in the next one', (t) =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spoolFolder = join(folder, 'spool');
      const spool = new Spool({ folder: spoolFolder, log });
      const { db, close } = await openTestDatabase();
      try {
        const recorder = new Recorder({ db, spool, log, folder });
        const recorded = async (): Promise<number> =>
          (await listPredictions(db, { model: MODEL, limit: 10 })).length;
        let next = 1;
        const read = spool.read.bind(spool);
        // Answers that never cease.
        t.mock.method(spool, 'read', (sequence: number) => {
          assert.ok(spool.append(row(next++)));
          return read(sequence);
        });
        assert.equal(await spool.keep(row(next++)), true);
        await recorder.drain();
        assert.equal(await recorded(), 1);
        const [left] = await readdir(spoolFolder);
        assert.equal(spool.take(), Number.parseInt(left!, 10), 'one segment, of the next round');
        // The second is asked for while the first runs, and takes what came after that one's beginning.
        await Promise.all([recorder.drain(), recorder.drain()]);
        assert.equal(await recorded(), 3);
        assert.equal(next, 5);
        assert.deepEqual(log.lines, []);
      } finally {
        await close();
      }
      spool.close();
    }));

  it('goes on to the next round at once, and in large pieces, while very much waits', (t) =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder: join(folder, 'spool'), log: memoryLog() });
      const large = { ...row(1), answer: JSON.stringify({ x: 'x'.repeat(4 * SEGMENT_BYTES) }) };
      const { db, close } = await openTestDatabase();
      let tick = (): void => undefined;
      t.mock.method(globalThis, 'setInterval', (told: () => void) => {
        tick = told;
        return { unref: () => undefined };
      });
      const recorder = new Recorder({ db, spool, log: memoryLog(), folder });
      try {
        recorder.start();
        let next = 2;
        const pieces: (boolean | undefined)[] = [];
        const read = spool.read.bind(spool);
        // As much comes during the first two rounds.
        t.mock.method(spool, 'read', (sequence: number, much?: boolean) => {
          pieces.push(much);
          if (next <= 3) assert.ok(spool.append({ ...large, id: row(next++).id }));
          return read(sequence, much);
        });
        assert.ok(spool.append(large));
        tick();
        const until = performance.now() + 20_000;
        while (spool.bytes > 0 && performance.now() < until) await pause(20);
        assert.equal(spool.bytes, 0, 'nobody ticked again');
        assert.equal((await listPredictions(db, { model: MODEL, limit: 10 })).length, 3);
        assert.deepEqual(pieces, [true, true, true]);
      } finally {
        await recorder.stop();
        await close();
      }
      spool.close();
    }));
});
