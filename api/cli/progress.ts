import type { ProgressEvent } from './events.ts';
import type { Json } from './http.ts';

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
    if (event.kind === 'done') {
      const message = text(payload['message']);
      const status = text(payload['status']) ?? 'done';
      return { line: `${status}${message ? `: ${message}` : ''}`, live: false };
    }
    const stage = event.stage ?? event.kind;
    return { line: `${prefix}${stage}: ${wordsOf(payload)}`, live: false };
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

const MAX_LINE = 240;

/** What a payload says, for a person: its sentence where it has one, else its few plain facts. */
function wordsOf(payload: Json): string {
  const sentence = text(payload['message']) ?? text(payload['reason']) ?? text(payload['verdict']);
  if (sentence !== undefined) {
    const reasons = listOf(payload['reasons']);
    const about = text(payload['instrument']);
    const severity = text(payload['severity']);
    const head = [severity, about].filter((part) => part !== undefined).join(' ');
    const tail = reasons === undefined ? '' : ` (${reasons})`;
    return `${head === '' ? '' : `${head}: `}${sentence}${tail}`.slice(0, MAX_LINE);
  }
  const facts = Object.entries(payload).flatMap(([name, value]) => factOf(name, value));
  return facts.length === 0 ? 'done' : facts.join(', ').slice(0, MAX_LINE);
}

function factOf(name: string, value: unknown): string[] {
  if (name === 'cached') return value === true ? ['from the cache'] : [];
  // Digests, references and reports are for programs: `--json` has them.
  if (/digest|sha256|report|evaluation|manifest|split/i.test(name)) return [];
  if (typeof value === 'string') return [`${name} ${shortDate(value)}`];
  if (typeof value === 'number') return [`${name} ${Number(value.toPrecision(6))}`];
  if (typeof value === 'boolean') return [`${name} ${value ? 'yes' : 'no'}`];
  const list = listOf(value);
  if (list !== undefined) return [`${name} ${list}`];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const inner = Object.entries(value).filter(([, v]) => ['number', 'string'].includes(typeof v));
  return inner.length === 0 ? [] : [`${name} ${inner.map(([k, v]) => `${k} ${v}`).join(' ')}`];
}

/** Plain values in one line; undefined where it is no list of such. */
function listOf(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (!value.every((part) => typeof part === 'string' || typeof part === 'number'))
    return undefined;
  return value.join('; ');
}

/** Midnight is a date. */
const shortDate = (value: string): string => value.replace(/T00:00:00(\.000)?Z$/, '');
