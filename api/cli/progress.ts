import type { ProgressEvent } from './events.ts';
import { trialWords, wordsOf } from './progress-words.ts';

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

/** What the events of one experiment say, as lines for a person. */
export class ProgressView {
  /** Seconds per epoch, per fit, and when the first trial of a search ended: for the time that is left. */
  readonly #pace = new Map<string, number>();

  /**
   * The line of an event; `live`: it may be overwritten by the next one. None for an epoch of a fit that
   * came from the cache: nobody trains, nothing is left to wait for, and the fit's own line follows.
   */
  lineOf(event: ProgressEvent): { readonly line: string; readonly live: boolean } | undefined {
    if (event.kind === 'epoch' && event.payload['cached'] === true) return undefined;
    const where = [event.model, event.seed === null ? undefined : `seed ${event.seed}`]
      .filter((part) => part !== null && part !== undefined)
      .join(' ');
    const prefix = where === '' ? '' : `${where}: `;
    if (event.kind === 'epoch') return { line: prefix + this.#epoch(event), live: true };
    const { payload } = event;
    if (event.stage === 'search' && payload['trial'] !== undefined) {
      return { line: prefix + this.#trial(event), live: true };
    }
    if (event.kind === 'done') return { line: endOf(payload), live: false };
    const stage = event.stage ?? event.kind;
    return {
      line: `${prefix}${stage}: ${wordsOf(event.kind === 'finding' ? 'finding' : stage, payload)}`,
      live: false,
    };
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

  #epoch(event: ProgressEvent): string {
    const { payload } = event;
    const epoch = number(payload['epoch']) ?? 0;
    const epochs = number(payload['epochs']) ?? 0;
    const fold = number(payload['fold']);
    // Of a family that trains one part after the other; a round of trees takes another time than an epoch.
    const part = text(payload['stage']);
    const key = [event.model, event.seed, event.stage, fold, part].join('/');
    const seconds = number(payload['seconds']);
    const before = this.#pace.get(key);
    if (seconds !== undefined) {
      this.#pace.set(key, before === undefined ? seconds : 0.7 * before + 0.3 * seconds);
    }
    const pace = this.#pace.get(key);
    const left = pace === undefined ? '' : `, at most ${duration(pace * (epochs - epoch))} left`;
    const refit = event.stage === 'refit';
    // A refit has no rows to validate on.
    const valid = refit ? '' : `, valid ${loss(number(payload['validLoss']))}`;
    const of = refit ? ' of the refit' : fold === undefined ? '' : ` of fold ${fold}`;
    const stage = part === undefined ? '' : ` (${part})`;
    return `epoch ${epoch}/${epochs}${of}${stage} loss ${loss(number(payload['loss']))}${valid}${left}`;
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
