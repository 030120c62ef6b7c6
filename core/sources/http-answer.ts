import { SourceError } from './errors.ts';

/** No answer of a vendor is larger; a larger one is a mistake or an attack. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * The JSON value of an answer, whatever its status.
 * Errors: `source.answer` (no JSON; may pass), `source.tooLarge`.
 */
export async function readJson(response: Response, host: string): Promise<unknown> {
  const declared = Number(response.headers.get('content-length') ?? 0);
  const text = declared > MAX_ANSWER_BYTES ? '' : await readText(response);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SourceError(
      'source.answer',
      `${host} answered ${response.status} with ${text.trimStart().startsWith('<') ? 'an HTML page' : 'no JSON'}`,
      { cause, permanent: false },
    );
  }
}

/** The text of an answer. Errors: `source.tooLarge`. */
export async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw new SourceError('source.tooLarge', `an answer exceeds ${MAX_ANSWER_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** `Retry-After`, seconds or a date, in ms from `now` (ms UTC); undefined without one that can be read. */
export function retryAfterMs(response: Response, now: number): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** Why a request got no answer, as its deepest cause says: `ENOTFOUND`, `ECONNREFUSED`, a time-out. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (error.cause instanceof Error) return causeOf(error.cause);
  return code ?? error.message;
}
