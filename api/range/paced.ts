export interface Pace {
  /** Aborted: the process stops, and whoever reads goes on elsewhere. */
  readonly stopping: AbortSignal;
  /** Longest wait (ms) for a reader to take what is there. */
  readonly stallMs: number;
  /** Called once, when nothing is computed any more: at the end, at a failure, and when the stream was cut or left. */
  readonly onEnd: () => void;
}

/**
 * The chunks as a stream that the reader paces: one is computed when the one before it was taken. A reader that takes
 * nothing for `stallMs` is cut off, for what it holds (a package, bars, a place) is kept from others.
 */
export function paced(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  { stopping, stallMs, onEnd }: Pace,
): ReadableStream<Uint8Array> {
  let ended = false;
  let stall: NodeJS.Timeout | undefined;
  let stop = (): void => undefined;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    stopping.removeEventListener('abort', stop);
    // Waits for the chunk that is computed just now.
    await chunks.return().then(onEnd, onEnd);
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        stop = () => {
          if (!ended) controller.error(new Error('this server is stopping'));
          void end();
        };
        if (stopping.aborted) stop();
        else stopping.addEventListener('abort', stop, { once: true });
      },
      async pull(controller) {
        clearTimeout(stall);
        try {
          const next = await chunks.next();
          if (ended) return;
          if (next.done) {
            controller.close();
            await end();
            return;
          }
          controller.enqueue(next.value);
          stall = setTimeout(() => {
            controller.error(new Error(`nothing was taken for ${stallMs / 1000} s`));
            void end();
          }, stallMs);
        } catch (error) {
          if (!ended) controller.error(error);
          await end();
        }
      },
      cancel: end,
    },
    { highWaterMark: 1 },
  );
}
