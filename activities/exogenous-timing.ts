import { rankSources, type SourcedBars } from '../core/bars/merge.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { RatchetError } from '../core/errors.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
import type { Gathered } from './collect-source.ts';
import type { ActivityDeps } from './deps.ts';
import type { Known } from './gather.ts';

/** Bars of another market, of which columns are made. */
export const hasForeignBars = ({ use, columns }: Gathered): boolean =>
  use.role === 'exogenous' && columns === undefined;

/** When the bars of a dataset are known; an upload says nothing of it, here and where it is served. */
export function timingOf(
  { datasets }: Pick<ActivityDeps, 'datasets'>,
  { use }: Pick<Known, 'use'>,
): SourcedBars['timing'] {
  const dataset = datasets.get(use.dataset);
  if (dataset === undefined) return undefined;
  const { declaredDelayMs } = sourceOrThrow(dataset.source);
  return { calendar: calendarFor(dataset.calendar), delayMs: declaredDelayMs };
}

/**
 * Without times only bars of one calendar meet: others of the same day may close later, and would tell the future.
 * Throws `collect.calendars`.
 */
export function requireTimes(parts: readonly SourcedBars[], known: readonly Known[]): void {
  const [lead] = rankSources(parts);
  if (lead === undefined) return;
  const calendarOf = ({ name }: SourcedBars): string =>
    known.find(({ use }) => use.dataset === name)!.calendar;
  const untimed = parts.find(
    (part) =>
      part.role === 'exogenous' &&
      (part.timing === undefined || lead.timing === undefined) &&
      calendarOf(part) !== calendarOf(lead),
  );
  if (untimed === undefined) return;
  throw new RatchetError(
    'collect.calendars',
    `the bars of ${untimed.name} follow the calendar ${calendarOf(untimed)}, those of ${lead.name} ${calendarOf(lead)}, ` +
      'and an uploaded file does not say when its bars are known: declare it as a dataset in ratchet.config.yaml',
  );
}
