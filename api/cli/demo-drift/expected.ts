/** What each run of `demo drift` must have come to: read from the public history, and nothing else. */
import type { Json } from '../http.ts';

export interface StoryEvent {
  readonly kind: string;
  readonly asOf: string | null;
  readonly version: number | null;
  readonly words: string;
  readonly payload: Json;
}

export type RunName = 'change' | 'noise' | 'steady';

/** When the three datasets part. */
export const PLANTED_AT = '2024-02-01T00:00:00.000Z';

/** What is wrong with a story, in sentences; empty: it is exactly what was planted. */
export function faultsOf(run: RunName, story: readonly StoryEvent[]): string[] {
  const rule = RULES[run];
  return [...beforeTheChange(story), ...rule(story)];
}

const RULES: Readonly<Record<RunName, (story: readonly StoryEvent[]) => string[]>> = {
  change: (story) => [
    ...needs(story, 'a drift report that asks for a retrain', isDrift),
    ...needs(story, 'a retrain', (event) => event.kind === 'retrain.started'),
    ...needs(story, 'a shadow trial', (event) => event.kind === 'trial.started'),
    ...needs(story, 'a trial that ended with a promotion', (event) => endedAs(event, ['promoted'])),
    ...needs(story, 'a new champion', (event) => isPromotion(event) && event.version !== 1),
    ...inOrder(story),
    ...noFailures(story),
  ],
  noise: (story) => [
    ...needs(story, 'a report of drifting inputs', isDrift),
    ...needs(story, 'a retrain', (event) => event.kind === 'retrain.started'),
    ...needs(story, 'a trial that was rejected, aborted or undecided', (event) =>
      endedAs(event, ['rejected', 'undecided', 'aborted']),
    ),
    ...sameChampion(story),
    ...noFailures(story),
  ],
  steady: (story) => [
    ...story.filter((event) => event.kind.startsWith('retrain.')).map(notWanted),
    ...story.filter((event) => event.kind.startsWith('trial.')).map(notWanted),
    ...sameChampion(story),
  ],
};

const isDrift = ({ kind, payload }: StoryEvent): boolean =>
  kind === 'drift.report' && payload['verdict'] === 'drift';
const isPromotion = ({ kind }: StoryEvent): boolean => kind === 'champion.promoted';
const endedAs = ({ kind, payload }: StoryEvent, statuses: readonly string[]): boolean =>
  kind === 'trial.ended' && statuses.includes(String(payload['status']));

function needs(
  story: readonly StoryEvent[],
  what: string,
  is: (event: StoryEvent) => boolean,
): string[] {
  return story.some(is) ? [] : [`The story has no ${what.replace(/^an? /, '')}.`];
}

const notWanted = ({ words }: StoryEvent): string => `It should not have happened: ${words}.`;

function sameChampion(story: readonly StoryEvent[]): string[] {
  const promotions = story.filter(isPromotion);
  return promotions.length === 1 ? [] : [`${promotions.length} promotions, where 1 is right.`];
}

/** Nothing but the first promotion may come before the bars part. */
function beforeTheChange(story: readonly StoryEvent[]): string[] {
  return story
    .filter(({ asOf }) => asOf !== null && asOf < PLANTED_AT)
    .filter((event) => event.kind.startsWith('retrain.') || event.kind.startsWith('trial.'))
    .map(notWanted);
}

/** Each step follows from the one before: drift, retrain, trial, its end, promotion. */
function inOrder(story: readonly StoryEvent[]): string[] {
  const first = [
    story.findIndex(isDrift),
    story.findIndex(({ kind }) => kind === 'retrain.started'),
    story.findIndex(({ kind }) => kind === 'trial.started'),
    story.findIndex((event) => isPromotion(event) && event.version !== 1),
  ];
  const rising = first.every((at, i) => i === 0 || at > first[i - 1]!);
  return rising || first.includes(-1) ? [] : ['The steps stand in another order.'];
}

const noFailures = (story: readonly StoryEvent[]): string[] =>
  story
    .filter(({ kind, payload }) => kind === 'retrain.finished' && payload['status'] !== 'completed')
    .map(notWanted);
