/**
 * What `open` gives, opened at the first call and kept from then on. A failure is told to those who
 * waited for it and not kept: the next call tries again.
 */
export function kept<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
