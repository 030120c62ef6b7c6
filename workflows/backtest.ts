import { CancellationScope } from '@temporalio/workflow';
import type {
  AnsweredFold,
  PlannedFold,
  SimulateResult,
} from '../activities/contracts-backtest.ts';
import { allOrThrow, endOf } from './all-or-throw.ts';
import { experimentEnd } from './experiment-end.ts';
import { foldTraining } from './fold-training.ts';
import { mapBounded } from './map-bounded.ts';
import type { BacktestInput } from './messages.ts';
import { answering, asking, compute, record } from './stubs.ts';

/** Folds under way at once: their fits take turns at the training slots, collecting and packaging do not wait for them. */
const FOLDS_AT_ONCE = 4;

/**
 * A backtest: models trained through its period where it asks for that (each an experiment of its own, found again by what it
 * trains), their answers session by session, sizes that were advised or are asked for, and strategies on them. Killed anywhere, it goes on with what is finished.
 */
export async function backtest({ backtestId }: BacktestInput): Promise<SimulateResult> {
  try {
    const { folds: planned, advised } = await record.planBacktest({ backtestId });
    const settled = await mapBounded(planned, FOLDS_AT_ONCE, (fold) => runFold(backtestId, fold));
    const folds = allOrThrow(settled);
    const advice = advised && (await asking.adviseBacktest({ backtestId, folds }));
    return await compute.simulateBacktest({ backtestId, folds, ...advice });
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      record.failBacktest({ backtestId, ...endOf(error) }),
    );
    throw error;
  }
}

/** A fold whose training failed has no answers: the strategy's fallback decides there, and the report says so. */
async function runFold(backtestId: string, fold: PlannedFold): Promise<AnsweredFold> {
  return answering.answerFold({ backtestId, fold: await trained(backtestId, fold) });
}

/** With the experiment that trained its model, where one did. */
async function trained(backtestId: string, planned: PlannedFold): Promise<PlannedFold> {
  if (planned.training !== undefined) {
    const { experimentId, ...ending } = await foldTraining(backtestId, planned);
    const fold = { ...planned, experimentId };
    await record.noteFold({ backtestId, fold, ...ending });
    return fold;
  }
  // Of a run that was planned by the release before: its experiments were open from the start.
  if (planned.experimentId !== undefined) {
    const ending = await experimentEnd(planned.experimentId);
    await record.noteFold({ backtestId, fold: planned, ...ending });
  }
  return planned;
}
