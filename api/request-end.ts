import type { ApiParts } from './parts.ts';

/** A request that has its answer. */
export interface EndedRequest {
  readonly requestId: string;
  readonly method: string;
  /** Its pattern, never its path: paths are without number. */
  readonly route: string;
  readonly status: number;
}

/** Routes that answer and change nothing. */
const ANSWERS = /\/(predict|batch-predict|infer)$/;

/** Counts and logs a request, whichever way it was answered. `ms`: what it took. */
export function noteEnd(
  { metrics, log }: Pick<ApiParts, 'metrics' | 'log'>,
  { requestId, method, route, status }: EndedRequest,
  ms: number,
): void {
  metrics.requests.observe({ method, route, status: String(status) }, ms / 1000);
  const line = { requestId, method, route, status, ms: Math.round(ms) };
  // What changes something is worth a line; predictions and reads come by the thousand.
  const rare = method !== 'GET' && !ANSWERS.test(route);
  if (rare || status >= 500) log.info(line, 'request');
  else log.debug(line, 'request');
}
