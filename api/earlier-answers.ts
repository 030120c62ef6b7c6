import type { Calendar } from '../core/calendar/calendar.ts';
import {
  emptyAnswers,
  writeAnswer,
  type AnswerColumns,
  type AnswerReading,
} from '../core/backtest/index.ts';
import { publicationsOf } from '../core/predict/index.ts';
import { RatchetError } from '../core/errors.ts';
import type { VerifiedPackage } from '../core/packages/verify.ts';
import { ApiError } from './errors.ts';
import { BoundedMap } from './serving/bounded-map.ts';
import type { PredictRequest, Serving } from './serving/serving.ts';

/** Answers that are remembered, each a row of numbers. */
const REMEMBERED_MAX = 20_000;
/** Answers about bars of a caller's own, each with features of its own to compute. */
const OWN_BARS_MAX = 100;

/** What a version answered at one session, as strategies read it. */
interface EarlierAnswer {
  readonly score: number;
  readonly probabilityUp: number;
  readonly change: number;
  readonly abstained: boolean;
  readonly failed: boolean;
}

export interface AskedSessions {
  readonly pkg: VerifiedPackage;
  readonly instrument: string;
  readonly calendar: Calendar;
  /** Open times of the first and last session, ms UTC. */
  readonly from: number;
  readonly to: number;
  /** The instant of the signal, ms UTC. */
  readonly now: number;
  /** What its source takes to publish a bar. */
  readonly delayMs: number;
}

/** What a package's answers are read by. */
export const readingOf = ({ manifest, preprocessing }: VerifiedPackage): AnswerReading => ({
  version: manifest.version,
  preprocessing,
  trainedThrough: Date.parse(manifest.trainedThrough),
  horizon: undefined,
});

/**
 * What a version said, or would have said, at the bars before a signal: asked as a backtest asks, as of when each bar was
 * known and without confidence. An answer about the past never changes, so each is computed once.
 */
export class EarlierAnswers {
  readonly #serving: Serving;
  readonly #known = new BoundedMap<string, EarlierAnswer>(REMEMBERED_MAX);
  readonly #asking = new Map<string, Promise<void>>();

  constructor(serving: Serving) {
    this.#serving = serving;
  }

  /** By session of the recorded history. Throws what `Serving.past` throws. */
  async ofSessions(asked: AskedSessions): Promise<ReadonlyMap<number, EarlierAnswer>> {
    const { pkg, instrument, calendar } = asked;
    const range = { from: asked.from, to: asked.to, now: asked.now };
    const { timeframe } = pkg.preprocessing;
    const { session, known } = publicationsOf(calendar, timeframe, range, asked.delayMs);
    const keyOf = (at: number): string => `${pkg.packageDigest}|${instrument}|${at}`;
    const missing = [...known.keys()].filter((i) => !this.#known.get(keyOf(known[i]!)));
    if (missing.length > 0) {
      const first = `${keyOf(known[missing[0]!]!)}|${missing.length}`;
      const asking =
        this.#asking.get(first) ??
        this.#ask(asked, missing, { session, known }, keyOf).finally(() =>
          this.#asking.delete(first),
        );
      this.#asking.set(first, asking);
      await asking;
    }
    return new Map(
      [...known.keys()].flatMap((i) => {
        const answer = this.#known.get(keyOf(known[i]!));
        return answer ? [[session[i]!, answer] as const] : [];
      }),
    );
  }

  async #ask(
    { pkg, instrument }: AskedSessions,
    missing: readonly number[],
    { session, known }: { readonly session: Float64Array; readonly known: Float64Array },
    keyOf: (at: number) => string,
  ): Promise<void> {
    const { model, version } = pkg.manifest;
    const columns = emptyAnswers(missing.length);
    columns.session.set(missing.map((i) => session[i]!));
    const asOf = Float64Array.from(missing, (i) => known[i]!);
    let row = 0;
    for await (const { answers } of this.#serving.past({ model, version, instrument, asOf })) {
      for (const answer of answers) {
        writeAnswer(columns, row, answer, readingOf(pkg));
        this.#known.set(keyOf(asOf[row]!), answerAt(columns, row));
        row++;
      }
    }
  }

  /** By bar of the caller's, of the `count` before the last one. Throws `signal.answers` beyond what one request may ask. */
  async ofOwnBars(
    pkg: VerifiedPackage,
    request: Omit<PredictRequest, 'input'>,
    input: Extract<PredictRequest['input'], { kind: 'bars' }>,
    count: number,
  ): Promise<readonly EarlierAnswer[]> {
    if (count > OWN_BARS_MAX) {
      throw new ApiError(
        'unprocessable',
        'signal.answers',
        `The strategy remembers ${count} answers; about bars of your own ${OWN_BARS_MAX} are computed. Name an instrument.`,
      );
    }
    const first = Math.max(1, input.rows.length - count);
    const columns = emptyAnswers(Math.max(0, input.rows.length - first));
    const { version } = pkg.manifest;
    const plain = { ...request, version, confidence: 'none' as const, record: false };
    await this.#serving.withBatch(plain, async (batch) => {
      for (let row = 0; row < columns.session.length; row++) {
        const rows = input.rows.slice(0, first + row);
        columns.session[row] = Number(rows.at(-1)!.openTime);
        const forecast = await batch.predict({ ...input, rows }).catch(noAnswer);
        if (forecast === undefined) columns.failed[row] = 1;
        else {
          const { fallback, fallbackReason } = forecast;
          const answer = { asOf: 0, forecast, fallback, fallbackReason };
          writeAnswer(columns, row, answer, readingOf(pkg));
        }
      }
    });
    return [...columns.session.keys()].map((row) => answerAt(columns, row));
  }
}

/** Bars that no window can be made of, and a model that fails, are what a failed answer is. */
function noAnswer(error: unknown): undefined {
  if (!(error instanceof ApiError || error instanceof RatchetError)) throw error;
}

const answerAt = (columns: AnswerColumns, row: number): EarlierAnswer => ({
  score: columns.score[row]!,
  probabilityUp: columns.probabilityUp[row]!,
  change: columns.change[row]!,
  abstained: columns.abstained[row] === 1,
  failed: columns.failed[row] === 1,
});
