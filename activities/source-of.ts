import { calendarFor } from '../core/calendar/index.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { inspectBytes } from '../core/sources/inspect.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
import type { SeriesDescriptor } from '../core/sources/series-source.ts';
import { seriesSources } from '../core/sources/series.ts';
import type { SourceContext, SourceDescriptor } from '../core/sources/source.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { getUploadOrThrow, readUpload } from '../registry/uploads.ts';
import type { ActivityDeps, NamedDataset } from './deps.ts';

const UPLOAD_PREFIX = 'upload:';

export interface OpenedSource {
  readonly dataset: NamedDataset;
  readonly descriptor: SourceDescriptor;
  context(signal: AbortSignal): SourceContext;
}

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'datasets' | 'sourceContext' | 'clock'>;

/** A dataset that delivers series: they become columns of bars. */
export interface OpenedSeries extends Omit<OpenedSource, 'descriptor'> {
  readonly descriptor: SeriesDescriptor;
}

/**
 * The dataset of bars that a spec names: an operator's, or `upload:SHA256`.
 * Errors: `dataset.unknown`, `dataset.series`.
 */
export async function openSource(deps: Deps, name: string): Promise<OpenedSource> {
  if (name.startsWith(UPLOAD_PREFIX)) return openUpload(deps, name.slice(UPLOAD_PREFIX.length));
  const dataset = deps.datasets.get(name);
  if (dataset && seriesSources.has(dataset.source)) {
    throw new RatchetError(
      'dataset.series',
      `dataset "${name}" delivers columns and no bars: name it with role: exogenous`,
    );
  }
  if (dataset) {
    const descriptor = sourceOrThrow(dataset.source);
    return { dataset, descriptor, context: (signal) => deps.sourceContext(dataset, signal) };
  }
  const known = [...deps.datasets.keys()].join(', ');
  throw new RatchetError('dataset.unknown', `there is no dataset "${name}"; there are: ${known}`);
}

/** The dataset that a spec names where it delivers series; undefined: bars, or there is none. */
export function openSeries(
  deps: Pick<Deps, 'datasets' | 'sourceContext'>,
  name: string,
): OpenedSeries | undefined {
  const dataset = deps.datasets.get(name);
  const descriptor = dataset && seriesSources.get(dataset.source);
  if (!dataset || !descriptor) return undefined;
  return { dataset, descriptor, context: (signal) => deps.sourceContext(dataset, signal) };
}

/** An uploaded file as a dataset: its format is found out, its bytes are all it can open. */
async function openUpload(deps: Deps, sha256: string): Promise<OpenedSource> {
  const { file_name: fileName } = await getUploadOrThrow(deps.db, sha256);
  const bytes = await readUpload(deps.db, deps.artifacts, sha256);
  return datasetForUpload(bytes, fileName, sha256, deps.clock);
}

/** Dataset `upload:SHA256` of a file's bytes. Errors: those of `inspectBytes`. */
export async function datasetForUpload(
  bytes: Uint8Array,
  fileName: string,
  sha256: string,
  clock: () => number,
): Promise<OpenedSource> {
  const { source, profile, calendar } = await inspectBytes(bytes, fileName);
  const dataset: NamedDataset = {
    name: `${UPLOAD_PREFIX}${sha256}`,
    source,
    params: { file: fileName, profile },
    hosts: [],
    calendar,
  };
  const refuse = (): Promise<never> =>
    Promise.reject(new RatchetError('source.not-allowed', 'an uploaded file reaches no host'));
  return {
    dataset,
    descriptor: sourceOrThrow(source),
    context: (signal) => ({
      http: refuse,
      openFile: () => Promise.resolve(bytes),
      listFiles: () => Promise.resolve([fileName]),
      pathOf: refuse,
      query: refuse,
      secret: () => {
        throw new RatchetError('source.not-allowed', 'an uploaded file has no secret');
      },
      clock,
      sleep: () => Promise.resolve(),
      signal,
    }),
  };
}

/** The calendar that an experiment's bars follow: that of its first primary source. */
export async function calendarOfSpec(
  deps: Deps,
  spec: { readonly data: Pick<ExperimentSpec['data'], 'sources'> },
): Promise<Calendar> {
  const uses = spec.data.sources;
  const primary = uses.find(({ role }) => role === 'primary') ?? uses[0]!;
  return calendarFor((await openSource(deps, primary.dataset)).dataset.calendar);
}
