import { workflowInfo } from '@temporalio/workflow';
import type { SlotInput } from './lifecycle-messages.ts';

/**
 * The moment of market time that a run is about: the one asked for, else the time its Schedule meant. A run that
 * begins late, after an outage, still looks at its own slot.
 */
export function slotOf({ asOf }: SlotInput): string {
  if (asOf !== undefined) return asOf;
  const { searchAttributes, startTime } = workflowInfo();
  const [scheduled] = searchAttributes['TemporalScheduledStartTime'] ?? [];
  const time = scheduled instanceof Date ? scheduled : startTime;
  return time.toISOString();
}
