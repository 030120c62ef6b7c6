import type { MonitorResult } from '../activities/contracts-lifecycle.ts';
import type { SlotInput } from './lifecycle-messages.ts';
import { slotOf } from './slot.ts';
import { compute, record } from './stubs.ts';

/** One drift report; what asks for a retrain is signalled to the lifecycle, which decides. */
export async function monitor(input: SlotInput): Promise<MonitorResult> {
  const { model } = input;
  const asOf = slotOf(input);
  const report = await compute.monitor({ model, asOf });
  if (report.signals.length > 0) {
    const { signals: reasons, reportId } = report;
    await record.signalDrift({ model, asOf, reasons, reportId });
  }
  if (report.verdict !== 'none') await record.dispatchAlerts({ model });
  return report;
}
