import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type {
  CollectResult,
  FitUnit,
  OpenedExperiment,
  ValidateResult,
} from '../activities/contracts.ts';
import { allOrThrow, reasonOf } from './all-or-throw.ts';
import { mapBounded } from './map-bounded.ts';
import type { UnitFailure } from './messages.ts';
import { collection, compute, record } from './stubs.ts';

/** Instruments collected at once: vendors limit request rates. */
const COLLECT_AT_ONCE = 8;
/** Units in flight: 8 units x (16 seeds + 8 baselines) stay far below 500 pending activities. */
const UNITS_AT_ONCE = 8;

/** What is done with one unit once its bars are there and pass. */
export type RunUnit<T> = (
  unit: FitUnit,
  datasets: readonly CollectResult[],
  validation: ValidateResult,
) => Promise<T>;

export interface UnitsResult<T> {
  /** In the units' order. */
  readonly done: readonly T[];
  readonly failed: readonly UnitFailure[];
}

/**
 * Collects and validates the bars of all units, then runs each. Where units stand apart, one whose bars do not come or
 * do not pass, or whose run fails, fails alone; it throws where none is left, and where the experiment is cancelled.
 * Else (one model, or a history from before they stood apart) the first failure is that of the experiment.
 */
export async function runUnits<T>(
  opened: OpenedExperiment,
  run: RunUnit<T>,
): Promise<UnitsResult<T>> {
  return opened.apart
    ? runApart(opened, run)
    : { done: await runTogether(opened, run), failed: [] };
}

async function runTogether<T>(opened: OpenedExperiment, run: RunUnit<T>): Promise<readonly T[]> {
  const datasets = allOrThrow(await collectAll(opened));
  const validation = await compute.validate({ experimentId: opened.experimentId, datasets });
  if (!validation.passed) {
    throw ApplicationFailure.nonRetryable(validation.reasons.join(' '), 'quality.failed');
  }
  const settled = await mapBounded(opened.units, UNITS_AT_ONCE, (unit) =>
    run(unit, datasetsOf(unit, datasets), validation),
  );
  return allOrThrow(settled);
}

async function runApart<T>(opened: OpenedExperiment, run: RunUnit<T>): Promise<UnitsResult<T>> {
  const { experimentId } = opened;
  const collected = await collectAll(opened);
  const datasets = someOrThrow(collected);
  const barsMissing = new Map<string, string>();
  for (const [i, instrument] of instrumentsOf(opened).entries()) {
    const result = collected[i]!;
    if (result.status === 'rejected') barsMissing.set(instrument, reasonOf(result.reason));
  }
  const validation = await compute.validate({ experimentId, datasets });
  for (const { instrument, reason } of validation.failed ?? []) barsMissing.set(instrument, reason);
  const settled = await mapBounded(opened.units, UNITS_AT_ONCE, async (unit) => {
    try {
      const reason = unit.instruments.map((one) => barsMissing.get(one)).find(Boolean);
      if (reason) throw ApplicationFailure.nonRetryable(reason, 'unit.bars');
      return await run(unit, datasetsOf(unit, datasets), validation);
    } catch (error) {
      // Whoever watches learns it now, not when the last of forty has ended.
      if (!isCancellation(error)) {
        await record.noteFailedUnit({ experimentId, model: unit.model, reason: reasonOf(error) });
      }
      throw error;
    }
  });
  const failed = opened.units.flatMap(({ model }, i): UnitFailure[] => {
    const result = settled[i]!;
    return result.status === 'rejected' ? [{ model, reason: reasonOf(result.reason) }] : [];
  });
  return { done: someOrThrow(settled), failed };
}

const instrumentsOf = ({ units }: OpenedExperiment): readonly string[] => [
  ...new Set(units.flatMap((unit) => unit.instruments)),
];

const collectAll = (
  opened: OpenedExperiment,
): Promise<readonly PromiseSettledResult<CollectResult>[]> =>
  mapBounded(instrumentsOf(opened), COLLECT_AT_ONCE, (instrument) =>
    collection.collect({ experimentId: opened.experimentId, instrument }),
  );

function datasetsOf(unit: FitUnit, all: readonly CollectResult[]): readonly CollectResult[] {
  return all.filter((dataset) => unit.instruments.includes(dataset.instrument));
}

const isFulfilled = <T>(result: PromiseSettledResult<T>): result is PromiseFulfilledResult<T> =>
  result.status === 'fulfilled';

/** The values that there are; where there is none, or it was cancelled, what `allOrThrow` throws. */
function someOrThrow<T>(settled: readonly PromiseSettledResult<T>[]): readonly T[] {
  const values = settled.filter(isFulfilled).map(({ value }) => value);
  const cancelled = settled.some((one) => !isFulfilled(one) && isCancellation(one.reason));
  return values.length > 0 && !cancelled ? values : allOrThrow(settled);
}
