import { CliError, EXIT, exitCodeOf, type ApiAddress, type CliContext } from './output.ts';

/** Longest wait for an answer that is not a stream; uploads take longest. */
const TIMEOUT_MS = 60_000;

export type Json = Readonly<Record<string, unknown>>;

export interface RequestOptions {
  readonly body?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
}

/** The API as commands use it: JSON in, JSON out, problems as sentences with an exit code. */
export class ApiClient {
  readonly #address: ApiAddress;
  readonly #signal: AbortSignal;

  constructor(address: ApiAddress, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  get url(): string {
    return this.#address.url;
  }

  async json(method: string, path: string, options: RequestOptions = {}): Promise<Json> {
    const response = await this.send(method, path, options);
    const text = await response.text();
    return text === '' ? {} : parse(text, response.status);
  }

  /** The response itself, for streams; a problem is thrown. */
  async send(
    method: string,
    path: string,
    options: RequestOptions = {},
    stream = false,
  ): Promise<Response> {
    const url = new URL(`${this.#address.url}${path}`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const signal = stream
      ? this.#signal
      : AbortSignal.any([this.#signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const init: RequestInit = { method, signal, headers: this.#headers(options) };
    if (options.bytes) init.body = options.bytes;
    else if (options.body !== undefined) init.body = JSON.stringify(options.body);
    const response = await fetch(url, init).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    if (!response.ok) throw await problem(response);
    return response;
  }

  #headers(options: RequestOptions): Record<string, string> {
    const type = options.bytes
      ? 'application/octet-stream'
      : options.body === undefined
        ? undefined
        : 'application/json';
    return {
      authorization: `Bearer ${this.#address.key}`,
      ...(type === undefined ? {} : { 'content-type': type }),
      ...options.headers,
    };
  }

  #unreachable(cause: unknown): unknown {
    if (this.#signal.aborted) return cause;
    const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
    return new CliError(
      EXIT.notRunning,
      timedOut
        ? `the API at ${this.url} did not answer within ${TIMEOUT_MS / 1000} s`
        : `the API at ${this.url} is not reachable`,
      { hint: 'start the stack with `ratchet up`, or look at `ratchet status`', cause },
    );
  }
}

/** A client for one command. */
export async function openClient(ctx: CliContext): Promise<ApiClient> {
  return new ApiClient(await ctx.connect(), ctx.signal);
}

function parse(text: string, status: number): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new CliError(EXIT.failed, `the API answered ${status} with something that is not JSON`, {
      cause,
    });
  }
}

/** What to do next, by the problem's code or kind. */
const HINTS: Readonly<Record<string, string>> = {
  'key.invalid': 'set RATCHET_API_KEY, or use the key of the local stack',
  'key.scope': 'an admin makes one: `ratchet keys create NAME --scopes ...`',
  'key.too-many-wrong': 'wait a minute, then try with the right key',
  'model.not-found': '`ratchet models` lists the models',
  'model.exists': 'change it with `ratchet model update`, or take another name',
  'model.unknown': '`ratchet models` lists the models',
  'version.unknown': '`ratchet versions MODEL` lists the versions',
  'experiment.not-found': '`ratchet experiments` lists them',
  'champion.none':
    '`ratchet versions MODEL` lists what could serve, `ratchet promote` makes it serve',
  'key.last-admin':
    '`ratchet keys create NAME --scopes admin` makes another one, `ratchet keys rotate ID` replaces it',
  'key.not-found': '`ratchet keys list` shows the ids',
  'artifact.unavailable': '`ratchet status` says which part is down',
  'artifact.missing': '`ratchet doctor` lists what is missing',
  'temporal.unavailable': '`ratchet status` says which part is down',
  'database.unavailable': '`ratchet status` says which part is down',
  'predict.too-few-bars': 'collect more history first: run an experiment on this instrument',
  'model.serving': 'add --force to end its service',
  'trial.none': '`ratchet trials MODEL` lists those that ended',
  'trial.other-version': '`ratchet trials MODEL ID` shows how it stands',
  'trial.not-found': '`ratchet trials MODEL` lists them',
  'trial.not-manual': '`ratchet promote MODEL --version N` makes it serve by hand',
  'rollback.none': '`ratchet versions MODEL` lists the versions',
  'rollback.not-earlier': '`ratchet promote MODEL --version N` makes it serve',
  'lifecycle.unavailable': '`ratchet status` says which part is down',
  'slot.running': '`ratchet explain MODEL` says how far it is',
  'promotion.conflict': '`ratchet champion MODEL` shows what is under way',
};

/** None where the sentence says the same command already. */
function hintFor(code: string, detail: string): string | undefined {
  const hint = HINTS[code];
  const command = hint && /`(ratchet [a-z-]+)/.exec(hint)?.[1];
  return command !== undefined && detail.includes(command) ? undefined : hint;
}

async function problem(response: Response): Promise<CliError> {
  const text = await response.text();
  let body: Json = {};
  try {
    body = JSON.parse(text) as Json;
  } catch {
    // A proxy's page, perhaps: the status has to do.
  }
  const code = typeof body['code'] === 'string' ? body['code'] : '';
  const issues = Array.isArray(body['issues'])
    ? (body['issues'] as { path?: unknown; message?: unknown }[])
    : [];
  const detail =
    typeof body['detail'] === 'string' ? body['detail'] : `the API answered ${response.status}`;
  const lines = issues.map((i) => `  ${String(i.path || 'body')}: ${String(i.message)}`);
  const listed = lines.filter((line) => !detail.includes(line.trim()));
  return new CliError(exitCodeOf(response.status), [detail, ...listed].join('\n'), {
    hint: hintFor(code, detail),
    details: body,
  });
}
