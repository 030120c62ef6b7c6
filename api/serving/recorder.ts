import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../../activities/deps.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { copyPredictions, predictionJson } from '../../registry/prediction-lines.ts';
import { ensurePredictionMonth, insertPredictionJson } from '../../registry/predictions.ts';
import { isDatabaseAway } from '../errors.ts';
import { eachLine, type SpooledLines } from './spool-segments.ts';
import { SEGMENT_BYTES, type Spool } from './spool.ts';

const DRAIN_MS = 500;
/** A quarter of the spool: so much comes within a tick only where twenty thousand are answered a second. */
const BEHIND_BYTES = 4 * SEGMENT_BYTES;
/** No partition for the row: the months known here are not those of this database. */
const NO_PARTITION = '23514';
/** SQLSTATE classes that speak of the row itself: data exceptions and violated constraints. */
const WRONG_ROW = /^2[23]/;

/** Of a line. */
const END = Buffer.from('\n');
const rejectedSchema = z.object({ id: z.string() });

const jsonOf = (line: Buffer, form: SpooledLines['form']): Buffer =>
  form === 'ndjson' ? line : Buffer.from(predictionJson(line.toString('utf8')));

/** SQLSTATE. */
function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

const isWrongRow = (code: string | undefined): boolean => WRONG_ROW.test(code ?? '');

/** Moves predictions from the spool to PostgreSQL, in order, each exactly once by its id. */
export class Recorder {
  readonly #db: Db;
  readonly #spool: Spool;
  readonly #log: Log;
  readonly #rejected: string;
  #months = new Set<string>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reported = '';
  #stopped = false;
  /** The last round: over a slow connection large statements might never end in time. */
  #hasFailed = false;

  constructor(parts: {
    readonly db: Db;
    readonly spool: Spool;
    readonly log: Log;
    readonly folder: string;
  }) {
    this.#db = parts.db;
    this.#spool = parts.spool;
    this.#log = parts.log;
    this.#rejected = join(parts.folder, 'rejected.ndjson');
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#running) return;
      this.#keepUp().then(
        () => (this.#reported = ''),
        (error: unknown) => this.#report(error),
      );
    }, DRAIN_MS);
    this.#timer.unref();
  }

  /** A round; and others at once while so much waits that the spool might be full before the next tick. */
  async #keepUp(): Promise<void> {
    do await this.drain();
    while (!this.#stopped && this.#isBehind);
  }

  get #isBehind(): boolean {
    return this.#spool.bytes >= BEHIND_BYTES;
  }

  /** An outage is no news; what else keeps predictions in the spool is told once. */
  #report(error: unknown): void {
    const reason = String(error);
    const isNews = reason !== this.#reported && !isDatabaseAway(error);
    this.#reported = reason;
    this.#log[isNews ? 'error' : 'debug']({ err: error }, 'predictions wait in the spool');
  }

  /** Records all that waits by now; throws when the database does not take it (it then stays). */
  drain(): Promise<void> {
    const former = this.#running?.catch(() => undefined) ?? Promise.resolve();
    const round = former.then(() => this.#drainAll());
    this.#running = round;
    const ended = (hasFailed: boolean): void => {
      this.#hasFailed = hasFailed;
      if (this.#running === round) this.#running = undefined;
    };
    round.then(
      () => ended(false),
      () => ended(true),
    );
    return round;
  }

  async #drainAll(): Promise<void> {
    // What comes meanwhile is for the next round: else, where answers never cease, each handful of
    // them would be a file and a transaction of its own, and rounds would not end.
    const { newest } = this.#spool;
    for (let s = this.#spool.take(newest); s !== undefined; s = this.#spool.take(newest)) {
      let damaged = 0;
      const much = this.#isBehind && !this.#hasFailed;
      for await (const some of this.#spool.read(s, much)) {
        damaged += some.damaged;
        if (some.count > 0) await this.#record(some);
      }
      if (damaged > 0) {
        this.#log.error({ segment: s, damaged }, 'lines of the prediction spool were damaged');
      }
      await this.#spool.remove(s);
    }
  }

  /** `fresh`: the months were just looked for anew. */
  async #record(lines: SpooledLines, fresh = false): Promise<void> {
    try {
      await this.#store(lines);
    } catch (error) {
      const code = codeOf(error);
      if (code === NO_PARTITION && !fresh) {
        this.#months = new Set();
        await this.#record(lines, true);
        return;
      }
      // A full disk, a read-only server, a time-out: they pass, and the rows are as good as before.
      if (!isWrongRow(code)) throw error;
      if (lines.count > 1) {
        for (const line of eachLine(lines.text)) {
          const text = Buffer.concat([line, END]);
          await this.#record({ ...lines, text, count: 1 }, fresh);
        }
        return;
      }
      const [line] = eachLine(lines.text);
      const json = jsonOf(line!, lines.form);
      // One row that the database will never take must not hold up all others.
      const { id } = rejectedSchema.parse(JSON.parse(json.toString('utf8')));
      this.#log.error({ err: error, id }, 'a prediction cannot be stored; set aside');
      await appendFile(this.#rejected, Buffer.concat([json, END]), { mode: 0o600 });
    }
  }

  async #store({ form, text, months }: SpooledLines): Promise<void> {
    for (const month of months) {
      if (this.#months.has(month)) continue;
      await ensurePredictionMonth(this.#db, new Date(`${month}-01T00:00:00Z`));
      this.#months.add(month);
    }
    if (form === 'copy' && (await this.#copies(text))) return;
    await insertPredictionJson(
      this.#db,
      Array.from(eachLine(text), (line) => jsonOf(line, form)),
    );
  }

  /** False: one of them cannot be stored, or is there already, from a round that a crash ended. */
  async #copies(text: Buffer): Promise<boolean> {
    try {
      await copyPredictions(this.#db, text);
      return true;
    } catch (error) {
      if (isWrongRow(codeOf(error))) return false;
      throw error;
    }
  }

  /** Records what it can and stops; what is left stays in the spool. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.drain().catch((error: unknown) =>
      this.#log.warn({ err: error }, 'predictions stay in the spool until the next start'),
    );
  }
}
