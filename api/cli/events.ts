import type { ApiClient, Json } from './http.ts';

/** One event of an experiment or a backtest as the API streams it. */
export interface ProgressEvent {
  readonly seq: string;
  readonly at: string;
  readonly kind: string;
  readonly stage: string | null;
  readonly model: string | null;
  readonly seed: number | null;
  readonly payload: Json;
}

/** Tries in a row without a single event before the watch gives up. */
const MAX_FAILURES = 20;
const PAUSE_MS = 1_000;

/** Events of a path that streams them until they end; a lost connection resumes after the last one seen. */
export async function* followEvents(
  client: ApiClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<ProgressEvent> {
  let last = '0';
  for (let failures = 0; ;) {
    try {
      for await (const event of readStream(client, path, last)) {
        last = event.seq;
        failures = 0;
        yield event;
        if (event.kind === 'done') return;
      }
      // The stream ended without `done`: the server drains, or the end was seen in an earlier one.
      if (failures++ >= MAX_FAILURES) return;
    } catch (error) {
      if (signal.aborted || failures++ >= MAX_FAILURES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function* readStream(
  client: ApiClient,
  path: string,
  after: string,
): AsyncGenerator<ProgressEvent> {
  const headers = { accept: 'text/event-stream', 'last-event-id': after };
  const response = await client.send('GET', path, { headers }, true);
  if (!response.body) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trimStart())
        .join('\n');
      if (data !== '') yield JSON.parse(data) as ProgressEvent;
    }
  }
}
