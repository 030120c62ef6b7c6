import { Context } from '@temporalio/activity';
import { RatchetError } from '../core/errors.ts';
import {
  causeOfProblem,
  differencesOf,
  isSampled,
  type FieldDifference,
  type NamedCause,
  type RangeAnswer,
} from '../core/predict/index.ts';
import type { ServableVersion } from '../registry/champions.ts';
import {
  NO_COUNTS,
  spanOf,
  type ParityCounts,
  type ParityCursor,
  type ParityReport,
} from '../registry/parity.ts';
import { advanceParity, type ParityDifference } from '../registry/parity-progress.ts';
import {
  pastAnswers,
  type HeldPackage,
  type PastAnswerParts,
  type PastQuestion,
} from '../registry/past-answers.ts';
import {
  servedGroups,
  servedPage,
  type ServedGroup,
  type ServedPrediction,
} from '../registry/served-predictions.ts';
import type { ActivityDeps } from './deps.ts';
import { pastPartsOf } from './past-parts.ts';
import { PageLook, partOf, replayedOf, type AnswerSource, type Explained } from './replay-past.ts';

/** Predictions of one page: some 3 MB of answers, and what a killed worker does again. */
const PAGE = 1_000;
/** Longest text of a problem that is kept. */
const MAX_WORDS = 1_000;

export type ReplayDeps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'trustedKeys' | 'clock' | 'codeVersion'
>;

/** Reports liveness and throws where the activity was cancelled. */
async function breathe(): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  if (context.cancellationSignal.aborted) await context.cancelled;
}

type Counts = { -readonly [K in keyof ParityCounts]: ParityCounts[K] };

/** Replays the predictions of a report from where it stands, page by page; one package is open at a time. */
export class Replaying {
  readonly #deps: ReplayDeps;
  #report: ParityReport;
  #counts: Counts;
  #found: ParityDifference[] = [];
  #open: AnswerSource | undefined;
  /** Of the series that is replayed. */
  #altered: string[] = [];
  #agreed: string | undefined;
  /** Answers with samples, one of which is drawn again. */
  #drawEvery = 1;

  constructor(deps: ReplayDeps, report: ParityReport) {
    this.#deps = deps;
    this.#report = report;
    this.#counts = { ...NO_COUNTS, ...report.counts };
  }

  /** Goes on until all is replayed, or `untilMs` (of the clock) is over; false: there is more. */
  async run(untilMs: number): Promise<boolean> {
    const { groups, callersOwn } = await servedGroups(this.#deps.db, spanOf(this.#report));
    this.#counts.callersOwn = callersOwn;
    this.#counts.total = groups.reduce((sum, { predictions }) => sum + predictions, 0);
    const sampled = groups.reduce((sum, group) => sum + group.sampled, 0);
    this.#drawEvery = Math.max(1, Math.floor(sampled / Math.max(1, this.#report.samples)));
    try {
      for (const group of groups) {
        if (isBefore(group, this.#report.cursor)) continue;
        this.#altered = [];
        this.#agreed = undefined;
        for (;;) {
          await breathe();
          const rows = await this.#nextPage(group);
          if (rows.length === 0) break;
          await this.#replay(group, rows);
          await this.#save(group, rows.at(-1)!);
          // Behind a page, so that every call gets on.
          if (this.#deps.clock() >= untilMs) return false;
        }
      }
      return true;
    } finally {
      this.#release();
    }
  }

  get counts(): ParityCounts {
    return this.#counts;
  }

  #nextPage(group: ServedGroup): Promise<ServedPrediction[]> {
    const { cursor } = this.#report;
    const inside = cursor?.version === group.version && cursor.instrument === group.instrument;
    const after = inside ? { at: new Date(cursor.at), id: cursor.id } : undefined;
    return servedPage(this.#deps.db, spanOf(this.#report), group, { after, limit: PAGE });
  }

  async #save({ version, instrument }: ServedGroup, last: ServedPrediction): Promise<void> {
    const cursor: ParityCursor = { version, instrument, at: last.at.toISOString(), id: last.id };
    const counts = { ...this.#counts };
    await advanceParity(this.#deps.db, this.#report, { cursor, counts, differences: this.#found });
    this.#report = { ...this.#report, cursor, counts };
    this.#found = [];
  }

  async #replay(group: ServedGroup, page: readonly ServedPrediction[]): Promise<void> {
    const rows = page.toSorted((a, b) => a.asked - b.asked);
    const question: PastQuestion & { readonly version: number } = {
      ...{ model: this.#report.model, version: group.version, instrument: group.instrument },
      asOf: Float64Array.from(rows, ({ asked }) => asked),
    };
    let next = 0;
    try {
      let look: PageLook | undefined;
      for await (const { answers } of pastAnswers(this.#parts(), question)) {
        await breathe();
        const { instrument } = group;
        look ??= new PageLook(this.#deps, this.#open!, { instrument, rows }, this.#report.lateMs);
        for (const answer of answers) await this.#judge(group, rows[next++]!, answer, look);
      }
    } catch (error) {
      const cause = causeOfPermanent(error);
      for (const row of rows.slice(next)) this.#different(group, row, [], cause);
    }
  }

  /** Those of the registry; a package stays open for the pages, and the instruments, of its version. */
  #parts(): PastAnswerParts {
    const parts = pastPartsOf(this.#deps);
    return {
      ...parts,
      open: async (servable: ServableVersion, instants: number) => {
        const before = this.#open;
        const isSame = before?.version.packageDigest === servable.packageDigest;
        if (!isSame) this.#release();
        const held: HeldPackage = isSame ? before.held : await parts.open(servable, instants);
        this.#open = { version: servable, held, sources: isSame ? before.sources : [] };
        return { opened: held.opened, release: () => undefined };
      },
      sourcesOf: async (servable, of, timeframe) => {
        const sources = await parts.sourcesOf(servable, of, timeframe);
        this.#open = { ...this.#open!, sources };
        return sources;
      },
    };
  }

  #release(): void {
    this.#open?.held.release();
    this.#open = undefined;
  }

  async #judge(
    group: ServedGroup,
    row: ServedPrediction,
    answer: RangeAnswer,
    look: PageLook,
  ): Promise<void> {
    const sampled = isSampled(row.answer);
    if (sampled) this.#counts.withSamples++;
    if ('problem' in answer) {
      const { code, message } = answer.problem;
      this.#different(group, row, [], causeOfProblem(code, message));
      return;
    }
    let fields = differencesOf(row.answer, replayedOf(answer), partOf(row.answer));
    try {
      if (fields.length === 0 && sampled && this.#isDrawn(row)) {
        this.#counts.samplesDrawn++;
        fields = await look.samples(row);
      }
      if (fields.length === 0) {
        this.#same(row);
        return;
      }
      await breathe();
      const memory = { altered: this.#altered, agreed: this.#agreed };
      this.#explained(group, row, fields, await look.explain(row, fields, memory));
    } catch (error) {
      // That one cannot be looked at closer says nothing of the others.
      this.#different(group, row, fields, causeOfPermanent(error));
    }
  }

  /** Samples are drawn again for predictions that lie evenly among all, as many as the report allows. */
  #isDrawn({ answer }: ServedPrediction): boolean {
    const { samplesDrawn, withSamples } = this.#counts;
    if (samplesDrawn >= this.#report.samples || answer['confidenceFailed'] === true) return false;
    if (answer['fallback'] !== null) return false;
    return withSamples > samplesDrawn * this.#drawEvery;
  }

  #same({ asOf }: ServedPrediction): void {
    this.#counts.replayed++;
    this.#counts.identical++;
    const bar = asOf.toISOString();
    this.#agreed = this.#agreed === undefined || bar > this.#agreed ? bar : this.#agreed;
    // What agrees again is out of their reach.
    this.#altered = this.#altered.filter((altered) => altered > bar);
  }

  #explained(
    group: ServedGroup,
    row: ServedPrediction,
    fields: readonly FieldDifference[],
    explained: Explained,
  ): void {
    if (explained.kind === 'different') return this.#different(group, row, fields, explained);
    this.#counts.replayed++;
    this.#counts.late++;
    this.#counts.latestMs = Math.max(this.#counts.latestMs, explained.byMs);
    return undefined;
  }

  #different(
    { version, instrument }: ServedGroup,
    row: ServedPrediction,
    fields: readonly FieldDifference[],
    { cause, words }: NamedCause,
  ): void {
    this.#counts.replayed++;
    this.#counts.different++;
    this.#counts.byCause = {
      ...this.#counts.byCause,
      [cause]: (this.#counts.byCause[cause] ?? 0) + 1,
    };
    const bar = row.asOf.toISOString();
    const isClose = fields.some(({ field }) => field === 'lastClose');
    if (cause === 'bar-altered' && isClose && !this.#altered.includes(bar)) this.#altered.push(bar);
    this.#found.push({
      ...{ predictionId: row.id, servedAt: row.at, asOf: row.asOf },
      ...{ version, instrument, cause, fields, words: words.slice(0, MAX_WORDS) },
    });
  }
}

/** Why a prediction cannot be computed again; throws what a retry may help. */
function causeOfPermanent(error: unknown): NamedCause {
  if (!(error instanceof RatchetError && error.permanent)) throw error;
  return causeOfProblem(error.code, error.message);
}

/** Is all of a group behind the cursor? Groups go by version, then by instrument. */
function isBefore(group: ServedGroup, cursor: ParityCursor | null): boolean {
  if (cursor === null) return false;
  if (group.version !== cursor.version) return group.version < cursor.version;
  return group.instrument < cursor.instrument;
}
