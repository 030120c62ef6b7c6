import type { ProgressEvent } from './events.ts';
import { iterationOf, trialWords, wordsOf } from './progress-words.ts';

const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** 75 -> `1m15s`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}s`;
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
}

const loss = (value: number | undefined): string =>
  value === undefined ? '-' : value.toPrecision(4);

/** A line for a person. */
export interface ProgressLine {
  readonly line: string;
  /** The fit or search that it is about: its next line takes its place. Absent: the line stays. */
  readonly live?: string;
}

/** What the events of one experiment say, as lines for a person. */
export class ProgressView {
  /** Seconds per epoch, per fit, and when the first trial of a search ended: for the time that is left. */
  readonly #pace = new Map<string, number>();
  /** Folds by model, where its split has several. */
  readonly #folds = new Map<string | null, number>();

  /**
   * The line of an event. None for an epoch of a fit that came from the cache: nobody trains, nothing is left to
   * wait for, and the fit's own line follows.
   */
  lineOf(event: ProgressEvent): ProgressLine | undefined {
    const { payload } = event;
    if (event.kind === 'epoch' && payload['cached'] === true) return undefined;
    if (event.stage === 'features') {
      const folds = number(payload['folds']);
      if (folds !== undefined) this.#folds.set(event.model, folds);
    }
    const where = this.#where(event);
    const prefix = where === '' ? '' : `${where}: `;
    if (event.kind === 'epoch') {
      const key = `${where}/${event.stage}`;
      return { line: prefix + this.#epoch(event, key), live: key };
    }
    if (event.stage === 'search' && payload['trial'] !== undefined) {
      return { line: prefix + this.#trial(event), live: `${event.model ?? ''}/search` };
    }
    if (event.kind === 'done') return { line: endOf(payload) };
    // Which fold it is stands before.
    const stage = event.stage === 'fold' ? 'fit' : (event.stage ?? event.kind);
    const words = wordsOf(event.kind === 'finding' ? 'finding' : stage, payload);
    return { line: `${prefix}${stage}: ${words}` };
  }

  /** Whose event it is: model, family, seed, and which of the fits of a seed. */
  #where(event: ProgressEvent): string {
    const { model, seed, kind, payload } = event;
    const parts = [
      model ?? undefined,
      kind === 'epoch' ? text(payload['family']) : undefined,
      seed === null ? undefined : `seed ${seed}`,
      this.#fold(event),
    ];
    return parts.filter((part) => part !== undefined).join(' ');
  }

  /** Which fold of how many; none where there is but one. The newest fold's fits are those that name none. */
  #fold({ model, stage, seed, payload }: ProgressEvent): string | undefined {
    const of = this.#folds.get(model);
    const fold = number(payload['fold']) ?? (stage === 'fit' && seed !== null ? of : undefined);
    return fold === undefined ? undefined : `fold ${fold}${of === undefined ? '' : `/${of}`}`;
  }

  /** A trial of a search after a rung: which, what it came to, the best so far, and the time that is left at most. */
  #trial({ payload, model, at }: ProgressEvent): string {
    const key = `${model ?? ''}/search`;
    const [of, ended] = [number(payload['of']) ?? 0, number(payload['ended']) ?? 0];
    const now = Date.parse(at) / 1000;
    const began = this.#pace.get(key) ?? now;
    this.#pace.set(key, began);
    const left =
      ended > 1 && ended < of
        ? `, at most ${duration(((now - began) / (ended - 1)) * (of - ended))} left`
        : '';
    return `search: ${trialWords(payload)}; ${ended} of ${of} trials ended${left}`;
  }

  #epoch(event: ProgressEvent, fit: string): string {
    const { payload } = event;
    const epoch = number(payload['epoch']) ?? 0;
    const epochs = number(payload['epochs']) ?? 0;
    // Of a family that trains one part after the other; a round of trees takes another time than an epoch.
    const part = text(payload['stage']);
    const key = `${fit}/${part ?? ''}`;
    const seconds = number(payload['seconds']);
    const before = this.#pace.get(key);
    if (seconds !== undefined) {
      this.#pace.set(key, before === undefined ? seconds : 0.7 * before + 0.3 * seconds);
    }
    const pace = this.#pace.get(key);
    const left =
      pace === undefined || epoch >= epochs
        ? ''
        : `, at most ${duration(pace * (epochs - epoch))} left`;
    const refit = event.stage === 'refit';
    // A refit has no rows to validate on.
    const valid = refit ? '' : `, valid ${loss(number(payload['validLoss']))}`;
    const what = `${iterationOf(payload['family'])} ${epoch}/${epochs}${refit ? ' of the refit' : ''}`;
    const stage = part === undefined ? '' : ` (${part})`;
    return `${what}${stage} loss ${loss(number(payload['loss']))}${valid}${left}`;
  }
}

/**
 * How it ended. Why it failed or was stopped is the sentence of the command's own error, and what was
 * found out about each version stands above.
 */
function endOf(payload: ProgressEvent['payload']): string {
  const status = text(payload['status']) ?? 'done';
  if (status === 'failed' || status === 'cancelled') return status;
  const message = text(payload['message']);
  const versions = Array.isArray(payload['versions'])
    ? (payload['versions'] as VersionRef[]).map(fateOf).join(', ')
    : '';
  const failed = failedModels(payload).map(({ model }) => `${model} failed`);
  const fates = [versions, ...failed].filter((fate) => fate !== '').join(', ');
  const said = status === 'completed' && fates !== '' ? fates : message;
  return said === undefined ? status : `${status}: ${said}`;
}

export interface FailedModel {
  readonly model: string;
  readonly reason: string;
}

/** Models of an experiment that failed while others did not, as its last event names them. */
export function failedModels(payload: ProgressEvent['payload']): readonly FailedModel[] {
  return Array.isArray(payload['failed']) ? (payload['failed'] as FailedModel[]) : [];
}

type VersionRef = Readonly<Record<'model' | 'version' | 'promoted' | 'verdict', unknown>>;

const fateOf = ({ model, version, promoted }: VersionRef): string =>
  `${model} version ${version} ${promoted === true ? 'promoted' : 'not promoted'}`;
