import { RatchetError } from '../core/errors.ts';
import type { ArtifactStore } from '../registry/artifact-store.ts';
import { ApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';

/**
 * Asks the artifact store. What it says about the bytes (missing, corrupt) stays as it is; that it does
 * not answer at all is a 503 of its own, so that nobody looks for the trouble in the database.
 */
export async function askStore<T>(
  { artifacts, log }: Pick<ApiParts, 'artifacts' | 'log'>,
  work: (store: ArtifactStore) => Promise<T>,
): Promise<T> {
  try {
    return await work(artifacts);
  } catch (cause) {
    if (cause instanceof RatchetError) throw cause;
    log.warn({ err: cause, store: artifacts.kind }, 'the artifact store does not answer');
    throw new ApiError(
      'unavailable',
      'artifact.unavailable',
      'The artifact store does not answer. Predictions go on; this request needs it. Try again shortly.',
      { retryAfterS: 5, cause },
    );
  }
}
