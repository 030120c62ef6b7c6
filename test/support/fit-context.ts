import { openEpisode } from '../../core/backtest/episode.ts';
import { labelKindOrThrow } from '../../core/labels/index.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import type { FitContext } from '../../core/models/model.ts';

/** A context whose clock stands still and whose checkpoints go nowhere, unless said otherwise. */
export function fitContext(prepared: Prepared, changes: Partial<FitContext> = {}): FitContext {
  return {
    seed: 1,
    neutralLabel: labelKindOrThrow(prepared.labelKind).unchanged,
    scalers: prepared.scalers,
    openEpisode,
    signal: new AbortController().signal,
    now: () => 0,
    rssBytes: () => 0,
    loadCheckpoint: async () => undefined,
    saveCheckpoint: async () => {},
    onEpoch: () => {},
    onBatch: () => {},
    ...changes,
  };
}
