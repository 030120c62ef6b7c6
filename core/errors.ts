/** Base of all domain errors. `code` is stable (clients match on it), `permanent` says that a retry cannot help. */
export class RatchetError extends Error {
  readonly code: string;
  readonly permanent: boolean;
  /** Facts for logs and problem bodies; never secrets. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: {
      permanent?: boolean;
      details?: Readonly<Record<string, unknown>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.permanent = options.permanent ?? true;
    this.details = options.details ?? {};
  }
}

/** Unreachable by type; thrown when a union grew and a switch did not. */
export function assertNever(value: never): never {
  throw new RatchetError('internal.unreachable', `unexpected value ${JSON.stringify(value)}`);
}
