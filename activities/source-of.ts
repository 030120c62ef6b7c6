import { calendarFor } from '../core/calendar/index.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import { inspectBytes } from '../core/sources/inspect.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
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

/** The dataset a spec names: an operator's, or `upload:SHA256`. Errors: `dataset.unknown`. */
export async function openSource(deps: Deps, name: string): Promise<OpenedSource> {
  if (name.startsWith(UPLOAD_PREFIX)) return openUpload(deps, name.slice(UPLOAD_PREFIX.length));
  const dataset = deps.datasets.get(name);
  if (dataset) {
    const descriptor = sourceOrThrow(dataset.source);
    return { dataset, descriptor, context: (signal) => deps.sourceContext(dataset, signal) };
  }
  const known = [...deps.datasets.keys()].join(', ');
  throw new RatchetError('dataset.unknown', `there is no dataset "${name}"; there are: ${known}`);
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
      clock,
      sleep: () => Promise.resolve(),
      signal,
    }),
  };
}

/** The calendar that an experiment's bars follow: that of its first primary source. */
export async function calendarOfSpec(deps: Deps, spec: ExperimentSpec): Promise<Calendar> {
  const uses = spec.data.sources;
  const primary = uses.find(({ role }) => role === 'primary') ?? uses[0]!;
  return calendarFor((await openSource(deps, primary.dataset)).dataset.calendar);
}
