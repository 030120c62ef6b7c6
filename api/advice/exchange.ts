/** One request to an address of the operator's and its answer, as advice uses it. The process that listens brings it. */
export interface ExchangeRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it, the body included. */
  readonly timeoutMs: number;
  /** Networks of the operator's own and this machine; without TLS this machine only. */
  readonly allowPrivate: boolean;
  /** Certificates (PEM) that may have signed the other side's, instead of the public ones. */
  readonly ca?: string | undefined;
  /** A longer body is no answer. */
  readonly maxBytes: number;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** Codes of the errors that an exchange throws; none says more of the URL than its host. */
export const EXCHANGE_ERRORS = {
  'exchange.address': 'address',
  'exchange.timeout': 'timeout',
  'exchange.too-large': 'too-large',
  'exchange.unreachable': 'unreachable',
} as const;
export type ExchangeErrorCode = keyof typeof EXCHANGE_ERRORS;

/** Redirects are answers like others. Throws `EXCHANGE_ERRORS`. */
export type Exchange = (request: ExchangeRequest) => Promise<ExchangeAnswer>;
