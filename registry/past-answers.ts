/** What a model answers, or would have answered, at many instants of the past. */
import type { Timeframe } from '../core/bars/bars.ts';
import { lowerBound } from '../core/bars/build.ts';
import { RatchetError } from '../core/errors.ts';
import type { VerifiedPackage } from '../core/packages/verify.ts';
import {
  forecastRange,
  pastRange,
  type OpenedPackage,
  type RangeAnswer,
  type WindowsRunner,
} from '../core/predict/index.ts';
import { servableVersion, type ServableVersion } from './champions.ts';
import type { Db } from './in-transaction.ts';
import { barsThroughTime } from './knowledge.ts';
import type { ServedSource } from './served-bars.ts';

/** A package that stays open until it is let go. */
export interface HeldPackage {
  readonly opened: OpenedPackage;
  /** Runs its graph in another thread, where that is worth it. */
  readonly elsewhere?: WindowsRunner;
  /** Also of what runs elsewhere. */
  release(): void;
}

export interface PastAnswerParts {
  readonly db: Db;
  /** Where the bars of an instrument lie for a version. */
  readonly sourcesOf: (
    version: ServableVersion,
    instrument: string,
    timeframe: Timeframe,
  ) => Promise<readonly ServedSource[]>;
  /** `instants`: how many it will be asked about. */
  readonly open: (version: ServableVersion, instants: number) => Promise<HeldPackage>;
}

export interface PastQuestion {
  readonly model: string;
  /** `then`: whichever version served at each instant. */
  readonly version: number | 'then';
  readonly instrument: string;
  /** ms UTC, ascending. */
  readonly asOf: Float64Array;
}

/** Answers of one version, in order of their instants; `version` null: nothing served then. */
export interface PastAnswers {
  readonly version: number | null;
  /** The package that gave them. */
  readonly pkg: VerifiedPackage | null;
  readonly answers: readonly RangeAnswer[];
}

/**
 * Answers chunk by chunk, in order of the instants: from bars as they were known at each, by the package as it serves, so
 * that each is what `predict` says (or said) as of that instant without confidence. Nothing is recorded.
 * Memory: the features of one instrument's bars. Errors: `version.unknown`, those of `forecastRange`.
 */
export async function* pastAnswers(
  parts: PastAnswerParts,
  { model, version, instrument, asOf }: PastQuestion,
): AsyncGenerator<PastAnswers, void, undefined> {
  const reigns = version === 'then' ? await reignsOver(parts.db, model, asOf) : [{ version, asOf }];
  for (const reign of reigns) {
    if (reign.version === null) {
      yield* allWith(reign.asOf, new RatchetError('champion.none', `nothing served ${model} then`));
      continue;
    }
    const question = { model, instrument, asOf: reign.asOf, version: reign.version };
    yield* version === 'then' ? ofReign(parts, question) : answersOf(parts, question);
  }
}

/** A champion of the past that is gone, or knew nothing of the instrument, is no reason to be silent about the others. */
async function* ofReign(
  parts: PastAnswerParts,
  question: PinnedQuestion,
): AsyncGenerator<PastAnswers, void, undefined> {
  try {
    yield* answersOf(parts, question);
  } catch (error) {
    if (!(error instanceof RatchetError && error.permanent)) throw error;
    yield* allWith(question.asOf, error);
  }
}

type PinnedQuestion = PastQuestion & { readonly version: number };

async function* answersOf(
  { db, sourcesOf, open }: PastAnswerParts,
  { model, version, instrument, asOf }: PinnedQuestion,
): AsyncGenerator<PastAnswers, void, undefined> {
  const servable = await servableVersion(db, model, version);
  if (!servable) {
    const message = `${model} has no version ${version} that could answer: it failed, or was deleted`;
    throw new RatchetError('version.unknown', message, { details: { model, version } });
  }
  const { opened, elsewhere, release } = await open(servable, asOf.length);
  try {
    const { timeframe } = opened.verified.preprocessing;
    const sources = await sourcesOf(servable, instrument, timeframe);
    const reachAt = (at: number) => {
      const { since, last } = pastRange(opened.verified, at);
      return { since, bars: last };
    };
    for await (const part of barsThroughTime(db, instrument, timeframe, sources, asOf, reachAt)) {
      // Of an instrument without bars, too, each instant says so.
      const bars = { ...part.bars, instrument };
      for await (const answers of forecastRange(opened, bars, part, elsewhere)) {
        yield { version, pkg: opened.verified, answers };
      }
    }
  } finally {
    release();
  }
}

interface Reign {
  readonly version: number | null;
  readonly asOf: Float64Array;
}

/** The instants by who served then. */
async function reignsOver(db: Db, model: string, asOf: Float64Array): Promise<readonly Reign[]> {
  const rows = await db
    .selectFrom('champion')
    .select(['version', 'valid_from', 'valid_to'])
    .where('model', '=', model)
    .orderBy('generation')
    .execute();
  const reigns: Reign[] = [];
  let from = 0;
  const until = (version: number | null, end: number): void => {
    const to = lowerBound(asOf, end);
    if (to > from) reigns.push({ version, asOf: asOf.subarray(from, to) });
    from = Math.max(from, to);
  };
  for (const row of rows) {
    until(null, row.valid_from.getTime());
    until(row.version, row.valid_to?.getTime() ?? Infinity);
  }
  until(null, Infinity);
  return reigns;
}

/** Instants of one chunk where nothing is computed. */
const CHUNK = 1_000;

/** The same problem at each instant. */
function* allWith(asOf: Float64Array, problem: RatchetError): Generator<PastAnswers> {
  for (let from = 0; from < asOf.length; from += CHUNK) {
    const answers = Array.from(asOf.subarray(from, from + CHUNK), (at) => ({ asOf: at, problem }));
    yield { version: null, pkg: null, answers };
  }
}
