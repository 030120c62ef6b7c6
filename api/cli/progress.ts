import type { ProgressEvent } from './events.ts';

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
  /** Seconds per epoch, per fit: for the time that is left. */
  readonly #pace = new Map<string, number>();

  /** The line of an event; `live`: it may be overwritten by the next one. */
  lineOf(event: ProgressEvent): { readonly line: string; readonly live: boolean } {
    const where = [event.model, event.seed === null ? undefined : `seed ${event.seed}`]
      .filter((part) => part !== null && part !== undefined)
      .join(' ');
    const prefix = where === '' ? '' : `${where}: `;
    if (event.kind === 'epoch') return { line: prefix + this.#epoch(event), live: true };
    const { payload } = event;
    const words = text(payload['message']) ?? text(payload['text']) ?? text(payload['status']);
    if (event.kind === 'stage') {
      return { line: `${prefix}${event.stage ?? 'stage'}${words ? ` ${words}` : ''}`, live: false };
    }
    if (event.kind === 'done') {
      const status = text(payload['status']) ?? 'done';
      const message = text(payload['message']);
      return { line: `${status}${message ? `: ${message}` : ''}`, live: false };
    }
    const shown = words ?? text(payload['verdict']) ?? JSON.stringify(payload);
    return { line: `${prefix}${event.kind}: ${shown}`, live: false };
  }

  #epoch(event: ProgressEvent): string {
    const { payload } = event;
    const epoch = number(payload['epoch']) ?? 0;
    const epochs = number(payload['epochs']) ?? 0;
    const key = `${event.model ?? ''}/${event.seed ?? ''}`;
    const seconds = number(payload['seconds']);
    const before = this.#pace.get(key);
    if (seconds !== undefined) {
      this.#pace.set(key, before === undefined ? seconds : 0.7 * before + 0.3 * seconds);
    }
    const pace = this.#pace.get(key);
    const left = pace === undefined ? '' : `, at most ${duration(pace * (epochs - epoch))} left`;
    const losses = `loss ${loss(number(payload['loss']))}, valid ${loss(number(payload['validLoss']))}`;
    return `epoch ${epoch}/${epochs} ${losses}${left}`;
  }
}
