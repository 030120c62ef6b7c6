import { RatchetError } from '../core/errors.ts';

/** An answer that is not a success, or none at all. The entry stays in the outbox. */
export class MlflowError extends RatchetError {
  /** MLflow's own word, e.g. RESOURCE_DOES_NOT_EXIST; empty where it gave none. */
  readonly errorCode: string;

  constructor(errorCode: string, message: string, options: { cause?: unknown } = {}) {
    super('mlflow.failed', message, { permanent: false, ...options, details: { errorCode } });
    this.errorCode = errorCode;
  }
}

export interface MlflowRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the server's URL, encoded. */
  readonly path: string;
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
}

export type MlflowTransport = (request: MlflowRequest) => Promise<Uint8Array>;

/** Largest answer read: an artifact of the mirror. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const ERROR_TEXT_MAX_CHARS = 500;

/** One request, one attempt: the outbox repeats. `timeoutMs` covers the whole answer. */
export function mlflowTransport(baseUrl: string, timeoutMs: number): MlflowTransport {
  const base = baseUrl.replace(/\/+$/, '');
  return async ({ method, path, json, bytes }) => {
    const where = `${method} ${path.split('?')[0]}`;
    const headers: Record<string, string> = {};
    if (json !== undefined) headers['content-type'] = 'application/json';
    if (bytes !== undefined) headers['content-type'] = 'application/octet-stream';
    const body = json === undefined ? bytes : JSON.stringify(json);
    try {
      const response = await fetch(base + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'error',
      });
      const answer = await readBounded(response);
      if (response.ok) return answer;
      throw refusal(where, response.status, Buffer.from(answer).toString('utf8'));
    } catch (error) {
      if (error instanceof MlflowError) throw error;
      throw new MlflowError('', `MLflow gave no answer to ${where}: ${String(error)}`, {
        cause: error,
      });
    }
  };
}

async function readBounded(response: Response): Promise<Uint8Array> {
  if (Number(response.headers.get('content-length') ?? 0) > ANSWER_BYTES_MAX) {
    throw new MlflowError('', 'the answer of MLflow is too large');
  }
  return new Uint8Array(await response.arrayBuffer());
}

function refusal(where: string, status: number, text: string): MlflowError {
  let errorCode = '';
  let message = text.slice(0, ERROR_TEXT_MAX_CHARS);
  try {
    const body = JSON.parse(text) as { error_code?: unknown; message?: unknown };
    if (typeof body.error_code === 'string') errorCode = body.error_code;
    if (typeof body.message === 'string') message = body.message.slice(0, ERROR_TEXT_MAX_CHARS);
  } catch {
    // Not JSON: a proxy's page, say. The text itself is the message.
  }
  return new MlflowError(errorCode, `MLflow refused ${where} (${status}): ${message}`);
}
