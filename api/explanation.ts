import type { DriftReportSummary } from '../registry/drift.ts';
import type { Explanation, ModelState } from '../registry/lifecycle-state.ts';
import type { Retrain } from '../registry/retrains.ts';
import type { EndedParity, ParityStanding } from '../registry/parity-standing.ts';
import type { Trial } from '../registry/trials.ts';

/** What stands in the rows of one model. */
export interface LifecycleRows {
  readonly state: ModelState | undefined;
  readonly explanation: Explanation | undefined;
  readonly trial: Trial | undefined;
  readonly retrain: Retrain | undefined;
  readonly drift: DriftReportSummary | undefined;
  /** Undefined: nothing of it was ever computed again. */
  readonly parity: ParityStanding | undefined;
}

export const LIFECYCLE_STATES = [
  'no-champion',
  'frozen',
  'retraining',
  'on-trial',
  'watching',
] as const;
export type LifecycleState = (typeof LIFECYCLE_STATES)[number];

/** The state as the rows have it now, which may be newer than the lifecycle's own last look. */
export function stateOf({ state, trial, retrain }: LifecycleRows): LifecycleState {
  if (state?.frozen === true) return 'frozen';
  if (trial) return 'on-trial';
  if (retrain) return 'retraining';
  return (state?.champion_version ?? null) === null ? 'no-champion' : 'watching';
}

const SECOND_UNITS = [
  { seconds: 86_400, one: 'day', many: 'days' },
  { seconds: 3_600, one: 'hour', many: 'hours' },
  { seconds: 60, one: 'minute', many: 'minutes' },
] as const;

/** 3 -> `3 s`, 7_300 -> `2 hours`. */
export function spanWords(seconds: number): string {
  for (const { seconds: size, one, many } of SECOND_UNITS) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${count === 1 ? one : many}`;
  }
  return `${Math.max(0, Math.floor(seconds))} s`;
}

/** A daily model is looked at every session; a long weekend has four days. */
const LONG_AGO_S = 5 * 86_400;

/**
 * The lifecycle of a model in sentences, from rows alone: what it said of itself when it last looked, what
 * changed since, the newest drift verdict, and how old all that is.
 *
 * @param now wall time in ms
 */
export function explanationSentences(rows: LifecycleRows, now: number): string[] {
  const { explanation, drift, parity } = rows;
  const said = explanation ? [...explanation.sentences] : neverLooked(rows);
  if (explanation && explanation.state !== stateOf(rows)) said.push(sinceThen(rows));
  if (drift) said.push(driftWords(drift, rows.state?.champion_version ?? null));
  if (parity) said.push(...parityWords(parity));
  if (explanation) said.push(...ageWords(explanation, now));
  return said;
}

function neverLooked({ state }: LifecycleRows): string[] {
  const version = state?.champion_version ?? null;
  const serves =
    version === null ? 'Nothing serves this model yet.' : `Version ${version} is champion.`;
  const frozen = state?.frozen === true ? [frozenWords(state)] : [];
  const why =
    'Its lifecycle has not looked at it yet: the first settlement (`ratchet settle`) says why it is not retrained.';
  return [serves, ...frozen, why];
}

const frozenWords = ({ frozen_reason: reason }: ModelState): string =>
  `It is frozen (${reason ?? 'no reason given'}): it is retrained and promoted by hand only.`;

function sinceThen(rows: LifecycleRows): string {
  const { state, trial, retrain } = rows;
  switch (stateOf(rows)) {
    case 'frozen':
      return `Since then it was frozen (${state?.frozen_reason ?? 'no reason given'}): it is retrained and promoted by hand only.`;
    case 'on-trial':
      return `Since then a ${trial?.kind} trial of version ${trial?.version} began.`;
    case 'retraining':
      return `Since then a retrain began (experiment ${retrain?.experiment_id}).`;
    case 'no-champion':
      return 'Since then its champion was taken away.';
    case 'watching':
      return `Since then that ended: version ${state?.champion_version} serves, nothing is under way.`;
  }
}

/** The report's own first sentence is its verdict; the rest of it fills a page. */
function driftWords(
  { model, version, as_of: asOf, words }: DriftReportSummary,
  champion: number | null,
): string {
  const verdict = words[0] ?? 'it says nothing.';
  const other = version === champion ? '' : `, is about version ${version}, not the champion`;
  return `The newest drift report, as of ${marketTime(asOf)}${other}: ${verdict} \`ratchet drift ${model}\` shows it.`;
}

/** What differs is told until it does not any more; of nights the newest. */
function parityWords({ night, different }: ParityStanding): string[] {
  const said: string[] = [];
  if (different) {
    const { model, reportId, replayed, different: count, byCause } = different;
    const causes = Object.entries(byCause).map(([cause, n]) => `${cause} ${n}`);
    said.push(
      `Of ${replayed} served predictions that were computed again ${count} come out otherwise (${causes.join(', ')}): \`ratchet parity ${model} --show ${reportId}\`.`,
    );
  }
  if (night && night.reportId !== different?.reportId) said.push(nightWords(night));
  return said;
}

function nightWords({ slot, status, message, replayed, different }: EndedParity): string {
  const when = `in the night of ${(slot ?? new Date(0)).toISOString().slice(0, 10)}`;
  if (status === 'failed') {
    return `What was served could not be computed again ${when}: ${message ?? 'no reason given'}.`;
  }
  if (replayed === 0) return `Nothing that was served was left to compute again ${when}.`;
  const outcome = different === 0 ? 'none came out otherwise' : `${different} came out otherwise`;
  return `Of ${replayed} served predictions that were computed again ${when} ${outcome}.`;
}

function ageWords({ as_of: asOf, written_at: writtenAt }: Explanation, now: number): string[] {
  const seconds = (now - writtenAt.getTime()) / 1000;
  const time = asOf === null ? '' : `As of ${marketTime(asOf)}, written `;
  const age = `${spanWords(seconds)} ago.`;
  const said = [time === '' ? `Written ${age}` : `${time}${age}`];
  if (seconds > LONG_AGO_S) {
    said.push('That is long ago: `ratchet doctor` says whether anything still looks at it.');
  }
  return said;
}

/** To the minute: what was asked for by hand is as of any millisecond. */
const marketTime = (date: Date): string =>
  `${date.toISOString().slice(0, 16)}Z`.replace('T00:00Z', '').replace('T', ' ');
