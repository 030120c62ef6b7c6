/** What the workflow `predictBatch` does, by the same activities, one after the other. */
import { MockActivityEnvironment } from '@temporalio/testing';
import {
  createBatchPredictionActivities,
  type BatchPredictionDeps,
} from '../../activities/batch-predictions.ts';
import { DATASETS, memoryLog, type ApiFixture } from './api-fixture.ts';
import { testKeys } from './model-package.ts';

export function batchActivities(fixture: ApiFixture, over: Partial<BatchPredictionDeps> = {}) {
  const { db, artifacts } = fixture;
  const parts = { db, artifacts, datasets: DATASETS, trustedKeys: testKeys, log: memoryLog() };
  const activities = createBatchPredictionActivities({ ...parts, ...over });
  const run =
    <I, O>(work: (input: I) => Promise<O>) =>
    (input: I): Promise<O> =>
      new MockActivityEnvironment().run(work, input);
  return {
    plan: run(activities.planBatchPrediction),
    answer: run(activities.answerPart),
    finish: run(activities.finishBatchPrediction),
    fail: run(activities.failBatchPrediction),
  };
}

/** All of it; gives how many parts were computed. */
export async function batchByHand(fixture: ApiFixture, batchPredictionId: string): Promise<number> {
  const { plan, answer, finish } = batchActivities(fixture);
  const { parts } = await plan({ batchPredictionId });
  let computed = 0;
  // From behind: their order is no part of what they say.
  for (let part = parts - 1; part >= 0; part--) {
    if (!(await answer({ batchPredictionId, part })).cached) computed++;
  }
  await finish({ batchPredictionId });
  return computed;
}
