import { createAlertActivities } from './alert.ts';
import { createAlertDispatchActivities } from './alert-dispatch.ts';
import { createBacktestAdviceActivities } from './backtest-advice.ts';
import { createBacktestAnswerActivities } from './backtest-answers.ts';
import { createBacktestPlanActivities } from './backtest-plan.ts';
import { createBacktestSimulateActivities } from './backtest-simulate.ts';
import { createBatchPredictionActivities } from './batch-predictions.ts';
import { createBuildFeaturesActivities } from './build-features.ts';
import { createCollectActivities } from './collect.ts';
import { createDecideActivities } from './decide.ts';
import type { ActivityDeps } from './deps.ts';
import { createEvaluateActivities } from './evaluate.ts';
import { createEvaluateVersionActivities } from './evaluate-version.ts';
import { createExperimentRecordActivities } from './experiment-record.ts';
import { withFailures } from './failures.ts';
import { createFitActivities } from './fit.ts';
import { createLifecycleActivities } from './lifecycle.ts';
import { createMonitorActivities } from './monitor.ts';
import { createPackageActivities } from './package.ts';
import { createParityActivities } from './parity.ts';
import { createPromoteActivities } from './promote.ts';
import { createRegisterActivities } from './register.ts';
import { createScheduleActivities } from './schedules.ts';
import { createSearchActivities } from './search.ts';
import { createSettleActivities } from './settle.ts';
import { createSkipActivities } from './skip.ts';
import { createTopUpActivities } from './top-up.ts';
import { createTrialActivities } from './trial.ts';
import { createValidateActivities } from './validate.ts';

/** Every activity, bound to what its worker provides. Workflows see only the type. */
export function createActivities(deps: ActivityDeps) {
  return withFailures({
    ...createExperimentRecordActivities(deps),
    ...createCollectActivities(deps),
    ...createValidateActivities(deps),
    ...createSkipActivities(deps),
    ...createBuildFeaturesActivities(deps),
    ...createFitActivities(deps),
    ...createSearchActivities(deps),
    ...createEvaluateActivities(deps),
    ...createEvaluateVersionActivities(deps),
    ...createBacktestPlanActivities(deps),
    ...createBacktestAnswerActivities(deps),
    ...createBacktestAdviceActivities(deps),
    ...createBacktestSimulateActivities(deps),
    ...createBatchPredictionActivities(deps),
    ...createParityActivities(deps),
    ...createPackageActivities(deps),
    ...createRegisterActivities(deps),
    ...createDecideActivities(deps),
    ...createPromoteActivities(deps),
    ...createAlertActivities(deps),
    ...createMonitorActivities(deps),
    ...createLifecycleActivities(deps),
    ...createTrialActivities(deps),
    ...createScheduleActivities(deps),
    ...createSettleActivities(deps),
    ...createTopUpActivities(deps),
    ...createAlertDispatchActivities(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
