/** The negative control: workflows changed in a way that no recorded run can follow. */
import { executeChild, sleep } from '@temporalio/workflow';
import { compute, record } from '../../workflows/stubs.ts';

interface Anything {
  readonly experimentId: string;
  readonly promotionId: string;
  readonly alertId: string;
  readonly model: string;
}

export async function experiment({ experimentId }: Anything): Promise<void> {
  // The real one opens the experiment first.
  await record.finishExperiment({ experimentId, status: 'completed', message: '', versions: [] });
}

export async function promote({ promotionId }: Anything): Promise<void> {
  // The real one announces the intent first.
  await record.switchChampion({ promotionId });
}

export async function lifecycle(): Promise<void> {
  // The real one waits for news, not for time.
  await sleep('1 day');
}

export async function trial({ model }: Anything): Promise<void> {
  // The real one asks first how it stands.
  await record.dispatchAlerts({ model });
}

export async function retrain(input: Anything): Promise<void> {
  // The real one runs an experiment.
  await executeChild(promote, { args: [input] });
}

export async function settle({ model }: Anything): Promise<void> {
  // The real one tops bars up first.
  await compute.settle({ model, asOf: '' });
}

export async function monitor({ model }: Anything): Promise<void> {
  // The real one reports before it tells.
  await record.dispatchAlerts({ model });
}

export async function alert({ alertId }: Anything): Promise<void> {
  // The real one asks first who wants it.
  await record.deliverAlert({ alertId, webhook: 'ops' });
}

export async function backtest({ backtestId }: { backtestId: string }): Promise<void> {
  // The real one plans first.
  await compute.simulateBacktest({ backtestId, folds: [] });
}

export async function evaluation({ evaluationId }: { evaluationId: string }): Promise<void> {
  // The real one opens it first.
  await compute.evaluateVersion({ evaluationId, missing: [] });
}

export async function predictBatch(input: { batchPredictionId: string }): Promise<void> {
  // The real one plans first.
  await compute.answerPart({ ...input, part: 0 });
}

export async function parity(): Promise<void> {
  // The real one opens its report first.
  await compute.replayPredictions({ reportId: '' });
}

export async function sweep({ experimentId, model }: Anything): Promise<void> {
  // The real one ends with this, or with nothing.
  await record.completeSearch({ experimentId, model });
}
