import { modelFamilies } from '../../core/models/index.ts';
import type { Json } from './http.ts';
import { lossWords, pointWords, spaceWords } from './search-words.ts';

/** Longer sentences are cut: the report and `--json` have them in full. */
const MAX_LINE = 400;

/** What a payload says, for a person: its stage's sentence, its own, or its few plain facts. */
export function wordsOf(stage: string, payload: Json): string {
  const said = STAGES[stage]?.(payload) ?? sentenceOf(payload) ?? factsOf(payload);
  return said.length <= MAX_LINE ? said : `${said.slice(0, MAX_LINE - 3)}...`;
}

/** Why sources did not deliver. */
function failuresOf(sources: unknown): readonly string[] {
  if (!Array.isArray(sources)) return [];
  return (sources as Json[]).flatMap(({ dataset, error, notes }) => {
    if (typeof error !== 'string') return [];
    const instead = Array.isArray(notes) && notes.length > 0 ? ` (${notes.join('; ')})` : '';
    return [`${String(dataset)}: ${error}${instead}`];
  });
}

/** What a family counts while it trains, in its own word. */
export function iterationOf(family: unknown): string {
  return modelFamilies.find(({ name }) => name === family)?.traits.iteration ?? 'epoch';
}

const counted = (count: number, family: string): string => `${count} ${iterationOf(family)}s`;

/** A fit that came from the cache; others tell their epochs. */
function fitWords({ family, cached, epochs, bestValidLoss }: Json): string | undefined {
  if (typeof family !== 'string' || cached !== true) return undefined;
  const found = typeof bestValidLoss === 'number' ? bestValidLoss.toPrecision(4) : '-';
  const ran = typeof epochs === 'number' && epochs > 1 ? `${counted(epochs, family)}, ` : '';
  return `${family}, ${ran}valid ${found}${fromCache(cached)}`;
}

/** Undefined where the payload is not as expected: then its plain facts are shown. */
const STAGES: Readonly<Record<string, (payload: Json) => string | undefined>> = {
  open: ({ models, seeds }) => {
    const [names, numbers] = [listOf(models, ', '), listOf(seeds, ', ')];
    return (
      names && numbers && `trains ${names}, seed${numbers.includes(',') ? 's' : ''} ${numbers}`
    );
  },
  collect: ({ instrument, rows, firstBar, lastBar, deliveredBy, cached, sources }) => {
    if (![instrument, firstBar, lastBar, deliveredBy].every((x) => typeof x === 'string')) return;
    const range = `${shortDate(String(firstBar))} to ${shortDate(String(lastBar))}`;
    const from = String(deliveredBy).replace(/(upload:[0-9a-f]{12})[0-9a-f]+/g, '$1');
    const told = `${instrument}: ${rows} bars, ${range}, from ${from}${fromCache(cached)}`;
    return [told, ...failuresOf(sources)].join('; ');
  },
  failed: ({ reason }) => (typeof reason === 'string' ? reason : undefined),
  validate: ({ passed, scores }) => {
    if (typeof passed !== 'boolean' || typeof scores !== 'object' || scores === null) return;
    const each = Object.entries(scores).map(([id, score]) => `${id} ${Number(score).toFixed(3)}`);
    return `the bars ${passed ? 'pass' : 'do NOT pass'}: quality ${each.join(', ')}`;
  },
  features: ({ samples, split, folds, cached }) => {
    if (typeof samples !== 'number' || typeof split !== 'object' || split === null) return;
    // The database keeps an object's keys in an order of its own.
    const inTime = Object.entries(split as Record<string, Json>).toSorted(([, a], [, b]) =>
      String(a['from']) < String(b['from']) ? -1 : 1,
    );
    const parts = inTime.map(
      ([name, { rows, from, to }]) =>
        `${name} ${rows} (${String(from).slice(0, 10)} to ${String(to).slice(0, 10)})`,
    );
    const newest = typeof folds === 'number' ? `, ${folds} folds, the newest` : '';
    return `${samples} samples${newest}: ${parts.join(', ')}${fromCache(cached)}`;
  },
  fit: fitWords,
  refit: ({ family, epochs }) => {
    if (typeof family !== 'string') return;
    const ran = typeof epochs === 'number' && epochs > 1 ? `, ${counted(epochs, family)}` : '';
    return `${family} once more on the rows of the refit${ran} (from the cache)`;
  },
  search: ({ search, space, of, trials, pruned, failed, stoppedBy, best }) => {
    if (space !== undefined) {
      return `${String(search)} over ${spaceWords(space)}; ${String(of)} trials at most`;
    }
    if (typeof trials !== 'number' || typeof best !== 'object' || best === null) return;
    const counts = [
      [pruned, 'pruned'],
      [failed, 'failed'],
    ].filter(([n]) => typeof n === 'number' && n > 0);
    const told = [`${trials} trials`, ...counts.map(([n, what]) => `${String(n)} ${String(what)}`)];
    const why = stoppedBy === 'minutes' ? ' (its minutes were over)' : '';
    const { trial, validLoss, point } = best as Json;
    return (
      `${told.join(', ')}${why}; trial ${String(trial)} is the best, valid ${lossWords(validLoss)}: ` +
      pointWords(point)
    );
  },
  package: ({ version, difference, cached }) => {
    if (typeof version !== 'number' || typeof difference !== 'number') return;
    const differs = difference === 0 ? 'exactly' : `to ${difference.toExponential(0)}`;
    return `version ${version} is signed; ONNX gives what was trained ${differs}${fromCache(cached)}`;
  },
  register: ({ version }) =>
    typeof version === 'number' ? `version ${version} is recorded` : undefined,
};

/** A trial of a search after a rung, and the best so far. */
export function trialWords({ trial, state, rung, rungs, validLoss, best, error }: Json): string {
  const after =
    typeof rungs === 'number' && rungs > 1 ? ` after rung ${String(rung)}/${rungs}` : '';
  const what =
    state === 'failed'
      ? `failed (${String(error)})`
      : `${state === 'running' ? 'goes on' : String(state)}${after}, valid ${lossWords(validLoss)}`;
  const found = best as { readonly trial?: unknown; readonly validLoss?: unknown } | null;
  const leader = found ? `; best ${lossWords(found.validLoss)} (trial ${String(found.trial)})` : '';
  return `trial ${String(trial)} ${what}${leader}`;
}

const fromCache = (cached: unknown): string => (cached === true ? ' (from the cache)' : '');

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function sentenceOf(payload: Json): string | undefined {
  const sentence = text(payload['message']) ?? text(payload['reason']) ?? text(payload['verdict']);
  if (sentence === undefined) return undefined;
  const head = [text(payload['severity']), text(payload['instrument'])].filter(Boolean).join(' ');
  const reasons = listOf(payload['reasons'], '; ');
  return `${head && `${head}: `}${sentence}${reasons === undefined ? '' : `: ${reasons}`}`;
}

function factsOf(payload: Json): string {
  const facts = Object.entries(payload).flatMap(([name, value]) => factOf(name, value));
  return facts.length === 0 ? 'done' : facts.join(', ');
}

function factOf(name: string, value: unknown): string[] {
  if (name === 'cached') return value === true ? ['from the cache'] : [];
  // Digests, references and reports are for programs: `--json` has them.
  if (/digest|sha256|report|evaluation|manifest|split/i.test(name)) return [];
  if (typeof value === 'string') return [`${name} ${shortDate(value)}`];
  if (typeof value === 'number') return [`${name} ${Number(value.toPrecision(6))}`];
  if (typeof value === 'boolean') return [`${name} ${value ? 'yes' : 'no'}`];
  const list = listOf(value, '; ');
  if (list !== undefined) return [`${name} ${list}`];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const inner = Object.entries(value).filter(([, v]) => ['number', 'string'].includes(typeof v));
  return inner.length === 0 ? [] : [`${name} ${inner.map(([k, v]) => `${k} ${v}`).join(' ')}`];
}

/** Plain values in one line; undefined where it is no list of such. */
function listOf(value: unknown, between: string): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (!value.every((part) => typeof part === 'string' || typeof part === 'number'))
    return undefined;
  return value.join(between);
}

/** Midnight is a date. */
const shortDate = (value: string): string => value.replace(/T00:00:00(\.000)?Z$/, '');
