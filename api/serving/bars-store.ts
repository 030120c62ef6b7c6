import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../../activities/deps.ts';
import {
  barCount,
  BAR_COLUMNS,
  TIMEFRAMES,
  type Bars,
  type Timeframe,
} from '../../core/bars/bars.ts';
import type { ServableVersion } from '../../registry/champions.ts';
import { isDatabaseAway } from '../errors.ts';
import { writeFileDurably } from './durable-file.ts';

/** The bars of one instrument as one version reads them. */
export interface Series {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly sources: ServableVersion['sources'];
}

export interface BarsRange {
  /** At most this many of the newest bars. */
  readonly last: number;
  /** Only bars that open before this (ms UTC), as they were known then; absent: now. */
  readonly before?: number;
  /** Where so many bars are expected to begin (ms UTC): nothing older is read unless they are not there. */
  readonly since?: number;
}

export interface LoadedBars {
  readonly bars: Bars;
  /** They begin where the instrument's recorded history begins. */
  readonly fromFirstBar: boolean;
}

/** Where bars come from: the registry. */
export interface BarsReader {
  read(series: Series, range: BarsRange): Promise<LoadedBars>;
  /** Names the state of an instrument's bars; cheap, and changes whenever something was delivered. */
  state(series: Series): Promise<string>;
}

export interface ServedBars extends LoadedBars {
  /** Changes with the bars, and is unique among all series. */
  readonly revision: string;
}

/** Series held at most; far more than one process serves. */
const MAX_SERIES = 1_000;
/** How often the registry is asked for newer bars. Daily bars come once a day, hourly ones once an hour. */
const REFRESH_MS = 10_000;

interface Held {
  readonly series: Series;
  wanted: number;
  served: ServedBars | undefined;
  loading: Promise<ServedBars> | undefined;
  /** The state, and the number of bars, that `served` was read at. */
  readAt: string | undefined;
}

const keys = new WeakMap<Series, string>();

export function seriesKey(series: Series): string {
  let key = keys.get(series);
  if (key === undefined) {
    const { instrument, timeframe } = series;
    const sources = series.sources.map(({ dataset, role }) => [dataset, role]);
    const text = JSON.stringify([instrument, timeframe, sources]);
    key = createHash('sha256').update(text).digest('hex').slice(0, 32);
    keys.set(series, key);
  }
  return key;
}

/**
 * The closed bars that served models need, in memory and on disk, refreshed in the background. A start
 * without the database goes on with those of the disk; how old they are, each answer says (`staleBars`).
 */
export class BarsStore {
  readonly #reader: BarsReader;
  readonly #folder: string;
  readonly #log: Log;
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(parts: { readonly reader: BarsReader; readonly folder: string; readonly log: Log }) {
    this.#reader = parts.reader;
    this.#folder = parts.folder;
    this.#log = parts.log;
  }

  start(): void {
    this.#timer = setInterval(() => void this.refreshAll(), REFRESH_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The bars of a series, `wanted` of the newest; from memory where they are there. */
  get(series: Series, wanted: number): ServedBars | Promise<ServedBars> {
    const key = seriesKey(series);
    let held = this.#held.get(key);
    if (!held) {
      held = { series, wanted, served: undefined, loading: undefined, readAt: undefined };
      if (this.#held.size >= MAX_SERIES) this.#held.delete(this.#held.keys().next().value!);
      this.#held.set(key, held);
    }
    if (held.served && held.wanted >= wanted) return held.served;
    held.wanted = Math.max(held.wanted, wanted);
    held.loading ??= this.#load(key, held).finally(() => (held.loading = undefined));
    return held.loading;
  }

  /** Bars before an instant of the past: not kept, because every request may ask for another one. */
  readPast(series: Series, range: BarsRange & { readonly before: number }): Promise<LoadedBars> {
    return this.#reader.read(series, range);
  }

  async #load(key: string, held: Held): Promise<ServedBars> {
    try {
      return await this.#refresh(key, held);
    } catch (error) {
      const stored = held.served ?? (await this.#restore(key, held));
      if (!stored) throw error;
      this.#log.warn({ err: error }, 'bars come from the local disk: the registry does not answer');
      return stored;
    }
  }

  async #refresh(key: string, held: Held): Promise<ServedBars> {
    const state = `${await this.#reader.state(held.series)}/${held.wanted}`;
    if (held.served && held.readAt === state) return held.served;
    const { bars, fromFirstBar } = await this.#reader.read(held.series, { last: held.wanted });
    held.readAt = state;
    const text = JSON.stringify(encode(bars, fromFirstBar));
    const revision = createHash('sha256').update(key).update(text).digest('hex').slice(0, 24);
    if (held.served?.revision === revision) return held.served;
    held.served = { bars, fromFirstBar, revision };
    await writeFileDurably(this.#path(key), text).catch((error: unknown) =>
      this.#log.error({ err: error }, 'bars cannot be kept on the local disk'),
    );
    return held.served;
  }

  async #restore(key: string, held: Held): Promise<ServedBars | undefined> {
    try {
      const stored = storedSchema.parse(JSON.parse(await readFile(this.#path(key), 'utf8')));
      held.served = { ...decode(stored), revision: `${key}/disk` };
      return held.served;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#log.warn({ err: error }, 'the bars on the local disk are unreadable');
      }
      return undefined;
    }
  }

  /** Asks the registry for newer bars of every series held, one after the other; one round at a time. */
  refreshAll(): Promise<void> {
    this.#refreshing ??= this.#refreshEach().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refreshEach(): Promise<void> {
    for (const [key, held] of this.#held) {
      try {
        await this.#refresh(key, held);
      } catch (error) {
        const { instrument } = held.series;
        if (isDatabaseAway(error)) {
          this.#log.debug({ err: error }, 'bars could not be refreshed');
          return;
        }
        // What is wrong with one series must not keep the others from their new bars.
        this.#log.error({ err: error, instrument }, 'the bars of one series cannot be read');
      }
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.json`);
  }
}

const numbers = z.array(z.number().nullable());
const storedSchema = z.object({
  instrument: z.string(),
  timeframe: z.enum(TIMEFRAMES),
  valueDerived: z.boolean(),
  fromFirstBar: z.boolean(),
  openTime: numbers,
  open: numbers,
  high: numbers,
  low: numbers,
  close: numbers,
  volume: numbers,
  value: numbers,
  exogenous: z.record(z.string(), numbers),
});
type Stored = z.infer<typeof storedSchema>;

/** JSON has no NaN: a missing value is null. */
const plain = (column: Float64Array): (number | null)[] =>
  Array.from(column, (value) => (Number.isFinite(value) ? value : null));
const typed = (column: readonly (number | null)[]): Float64Array =>
  Float64Array.from(column, (value) => value ?? Number.NaN);

function encode(bars: Bars, fromFirstBar: boolean): Stored {
  const columns = Object.fromEntries(BAR_COLUMNS.map((name) => [name, plain(bars[name])]));
  const exogenous = Object.entries(bars.exogenous ?? {}).map(([k, v]) => [k, plain(v)] as const);
  return {
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    valueDerived: bars.valueDerived,
    fromFirstBar,
    openTime: plain(bars.openTime),
    ...(columns as Pick<Stored, 'open' | 'high' | 'low' | 'close' | 'volume' | 'value'>),
    exogenous: Object.fromEntries(exogenous),
  };
}

function decode(stored: Stored): LoadedBars {
  const exogenous = Object.entries(stored.exogenous).map(([k, v]) => [k, typed(v)] as const);
  const bars: Bars = {
    instrument: stored.instrument,
    timeframe: stored.timeframe,
    openTime: typed(stored.openTime),
    open: typed(stored.open),
    high: typed(stored.high),
    low: typed(stored.low),
    close: typed(stored.close),
    volume: typed(stored.volume),
    value: typed(stored.value),
    valueDerived: stored.valueDerived,
    ...(exogenous.length > 0 ? { exogenous: Object.fromEntries(exogenous) } : {}),
  };
  if (barCount(bars) === 0) throw new TypeError('no bars are stored');
  return { bars, fromFirstBar: stored.fromFirstBar };
}
