import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { Recorder } from '../../api/serving/recorder.ts';
import {
  SEGMENT_BYTES,
  Spool,
  type SpooledLine,
  type SpooledLines,
} from '../../api/serving/spool.ts';
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

/** All that a segment holds. */
async function linesOf(spool: Spool, sequence: number): Promise<SpooledLines> {
  const all: SpooledLine[] = [];
  let damaged = 0;
  for await (const some of spool.read(sequence)) {
    all.push(...some.lines);
    damaged += some.damaged;
  }
  return { lines: all, damaged };
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
      assert.equal((await linesOf(spool, sequence!)).lines.length, 5);
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
        const { lines, damaged } = await linesOf(spool, s);
        assert.equal(damaged, 0);
        for (const { json } of lines) {
          const { id, answer } = JSON.parse(json.toString()) as {
            id: string;
            answer: { words?: string };
          };
          const n = Number(id.slice(3)) % 1_000;
          const expected = n % 7 === 0 ? words : 'short';
          assert.equal(answer.words, n === 999 ? undefined : expected);
        }
        read += lines.length;
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
      const small = new Spool({ folder: join(folder, 'small'), log: memoryLog(), capacity: 1_200 });
      const kept = await Promise.all([1, 2, 3, 4].map((n) => small.keep(row(n))));
      assert.deepEqual(kept, [true, true, false, false]);
      assert.ok(small.bytes > 0 && small.bytes <= 1_200);
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
          const { lines, damaged } = await linesOf(spool, sequence);
          assert.deepEqual(told, [true, false, false, false]);
          assert.deepEqual(
            lines.map(({ json }) => (JSON.parse(json.toString()) as { id: string }).id),
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

  it('goes on to the next round at once while a whole segment waits', (t) =>
    withFolder(async (folder) => {
      const spool = new Spool({ folder: join(folder, 'spool'), log: memoryLog() });
      const large = { ...row(1), answer: JSON.stringify({ x: 'x'.repeat(SEGMENT_BYTES) }) };
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
        const read = spool.read.bind(spool);
        // More than a segment comes during the first two rounds.
        t.mock.method(spool, 'read', (sequence: number) => {
          if (next <= 3) assert.ok(spool.append({ ...large, id: row(next++).id }));
          return read(sequence);
        });
        assert.ok(spool.append(large));
        tick();
        const until = performance.now() + 20_000;
        while (spool.bytes > 0 && performance.now() < until) await pause(20);
        assert.equal(spool.bytes, 0, 'nobody ticked again');
        assert.equal((await listPredictions(db, { model: MODEL, limit: 10 })).length, 3);
      } finally {
        await recorder.stop();
        await close();
      }
      spool.close();
    }));
});
