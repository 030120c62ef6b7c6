import type { SlotInput } from './lifecycle-messages.ts';
import { slotOf } from './slot.ts';
import { collection, compute, record } from './stubs.ts';

/** One slot of settling: newest bars, outcomes of what they complete, and word of it to the lifecycle. */
export async function settle(input: SlotInput): Promise<void> {
  const { model } = input;
  const asOf = slotOf(input);
  await collection.topUpBars({ model, asOf });
  await compute.settle({ model, asOf });
  await record.announceTick({ model, asOf });
}
