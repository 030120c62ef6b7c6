/** The negative control: workflows changed in a way that no recorded run can follow. */
import { record } from '../../workflows/stubs.ts';

export async function experiment({ experimentId }: { experimentId: string }): Promise<void> {
  // The real one opens the experiment first.
  await record.finishExperiment({ experimentId, status: 'completed', message: '', versions: [] });
}

export async function promote({ promotionId }: { promotionId: string }): Promise<void> {
  // The real one announces the intent first.
  await record.switchChampion({ promotionId });
}
