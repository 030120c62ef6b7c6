import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { labelKindOrThrow, type LabelKind } from '../core/labels/index.ts';
import { costOfSide, tradingCostOf } from '../core/outcomes/trading-cost.ts';
import type { OutcomeScale } from '../core/outcomes/outcome.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { seriesSource } from '../registry/collections.ts';
import { loadPackage } from '../registry/packages.ts';
import { deliveredSource, type ServedSource } from '../registry/served-bars.ts';
import {
  settledVersions,
  storeVersionScale,
  versionScale,
  type SettledVersion,
  type VersionScale,
} from '../registry/settling.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

export type SettleDeps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock' | 'trustedKeys' | 'log'
>;

/** A version as settling needs it. */
export interface VersionBook {
  readonly version: number;
  readonly instruments: readonly string[];
  readonly timeframe: ExperimentSpec['data']['timeframe'];
  readonly calendar: Calendar;
  readonly uses: ExperimentSpec['data']['sources'];
  scale(horizon: number): OutcomeScale;
}

/** The versions of one model, each looked up once. */
export class VersionBooks {
  readonly #deps: SettleDeps;
  readonly #model: string;
  readonly #books = new Map<number, VersionBook | undefined>();
  readonly #sources = new Map<string, Promise<readonly ServedSource[]>>();

  constructor(deps: SettleDeps, model: string) {
    this.#deps = deps;
    this.#model = model;
  }

  /** The books of some versions; those that cannot be settled (now) are missing. */
  async of(versions: Iterable<number>): Promise<ReadonlyMap<number, VersionBook>> {
    const wanted = [...new Set(versions)];
    const fresh = wanted.filter((version) => !this.#books.has(version));
    for (const facts of await settledVersions(this.#deps.db, this.#model, fresh)) {
      this.#books.set(facts.version, await this.#open(facts));
    }
    const found = new Map<number, VersionBook>();
    for (const version of wanted) {
      const book = this.#books.get(version);
      if (book) found.set(version, book);
      else this.#books.set(version, undefined);
    }
    return found;
  }

  /** Where the bars of an instrument lie, for a version: as serving reads them. */
  sources(book: VersionBook, instrument: string): Promise<readonly ServedSource[]> {
    const key = seriesName(book, instrument);
    const known = this.#sources.get(key);
    if (known) return known;
    const found = storedSources(this.#deps, book, instrument);
    this.#sources.set(key, found);
    return found;
  }

  async #open(facts: SettledVersion): Promise<VersionBook | undefined> {
    const { spec, version, instruments } = facts;
    try {
      const calendar = await calendarOfSpec(this.#deps, spec);
      const label = labelKindOrThrow(spec.label.kind);
      const measures = await this.#measures(facts);
      const { timeframe, sources: uses } = spec.data;
      return {
        ...{ version, instruments, timeframe, calendar, uses },
        scale: (horizon) => scaleOf({ label, calendar, ...measures }, horizon),
      };
    } catch (error) {
      if (!(error instanceof RatchetError && error.permanent)) throw error;
      // A dataset that the operator took away, a label kind of another release: the others go on.
      const at = { model: this.#model, version, err: error };
      this.#deps.log.warn(at, 'the predictions of a version cannot be settled now; they wait');
      return undefined;
    }
  }

  /** By horizon, of the training part; empty where the package is gone and never was settled. */
  async #measures({ version, packageDigest, spec }: SettledVersion): Promise<Measures> {
    const { db, artifacts, trustedKeys, log } = this.#deps;
    const stored = await versionScale(db, this.#model, version);
    if (stored) return measuresOf(stored);
    if (packageDigest === null) return NO_MEASURES;
    try {
      const expected = { model: this.#model, version, packageDigest };
      const { golden, preprocessing } = await loadPackage({ db, artifacts }, expected, trustedKeys);
      const classes = preprocessing.classes !== undefined;
      const scale = {
        model: this.#model,
        version,
        label_kind: spec.label.kind,
        horizons: [...spec.label.horizons],
        // Places of classes have no scale: their losses are none of squares.
        label_variance: spec.label.horizons.map((_, k) => (classes ? 1 : golden.labelSd[k]! ** 2)),
        loss_weights: lossWeightsOf(spec),
        class_priors: preprocessing.classes?.priors ?? null,
      };
      await storeVersionScale(db, scale);
      return measuresOf(scale);
    } catch (error) {
      if (!(error instanceof RatchetError && error.permanent)) throw error;
      log.warn({ model: this.#model, version, err: error }, 'its outcomes have no scaled loss');
      return NO_MEASURES;
    }
  }
}

/** What outcomes of a version are measured by, by horizon. */
interface Measures {
  readonly variances: ReadonlyMap<number, number>;
  readonly priors: ReadonlyMap<number, readonly number[]>;
}

const NO_MEASURES: Measures = { variances: new Map(), priors: new Map() };

const measuresOf = (
  scale: Pick<VersionScale, 'horizons' | 'label_variance' | 'class_priors'>,
): Measures => ({
  variances: new Map(scale.horizons.map((horizon, k) => [horizon, scale.label_variance[k]!])),
  priors: new Map(
    (scale.class_priors ?? []).map((shares, k) => [scale.horizons[k]!, shares] as const),
  ),
});

interface ScaleFacts extends Measures {
  readonly label: LabelKind;
  readonly calendar: Calendar;
}

const scaleOf = (facts: ScaleFacts, horizon: number): OutcomeScale => ({
  label: facts.label,
  variance: facts.variances.get(horizon),
  priors: facts.priors.get(horizon),
  costOfSide: costOfSide(tradingCostOf(facts.calendar)),
});

/** Versions with the same sources share a series. */
export const seriesName = (book: VersionBook, instrument: string): string =>
  JSON.stringify([instrument, book.timeframe, book.uses]);

async function storedSources(
  { db, datasets }: SettleDeps,
  { uses, timeframe }: VersionBook,
  instrument: string,
): Promise<readonly ServedSource[]> {
  const found: ServedSource[] = [];
  for (const { dataset, role } of uses) {
    if (role === 'exogenous') continue;
    const known = datasets.get(dataset);
    const source = known
      ? seriesSource(known)
      : await deliveredSource(db, dataset, instrument, timeframe);
    if (source !== undefined) found.push({ dataset, role, source });
  }
  return found;
}
