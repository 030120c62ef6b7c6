import { ApiError } from './errors.ts';

/** A row that names a workflow, and how it stands. */
interface RecordedRun {
  readonly id: string;
  readonly status: string;
}

export const isOver = ({ status }: Pick<RecordedRun, 'status'>): boolean =>
  status !== 'queued' && status !== 'running';

/**
 * Asks the workflow of a row to stop: it writes how the row ended. Where none is at it, the row ends at once. Throws
 * `KIND.ended` (409) of one that has ended: it stays as it ended.
 */
export async function cancelRecorded(
  kind: 'backtest' | 'batch-prediction',
  run: RecordedRun,
  cancel: (id: string) => Promise<boolean>,
  end: (end: { readonly status: 'cancelled'; readonly message: string }) => Promise<unknown>,
): Promise<void> {
  if (isOver(run)) {
    const words = `The ${kind.replace('-', ' ')} has ended: ${run.status}.`;
    throw new ApiError('conflict', `${kind}.ended`, words);
  }
  if (await cancel(run.id)) return;
  await end({ status: 'cancelled', message: 'cancelled before it began' });
}
