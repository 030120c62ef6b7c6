import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { RatchetError } from '../core/errors.ts';
import { addressKind } from './address-kind.ts';

/** All addresses of a name. */
export type Resolve = (
  name: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** Where an address of the operator may lead (SSRF). */
export interface Reach {
  readonly url: URL;
  /** Networks of the operator's own and this machine; without TLS this machine only. */
  readonly allowPrivate: boolean;
  /** Code of the error that refuses. */
  readonly refusal: string;
}

export const resolveBySystem: Resolve = (name, done) => systemLookup(name, { all: true }, done);

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/** What can be said of a URL before its name is resolved. */
export function refuseUrl(reach: Reach): RatchetError | undefined {
  const { url, allowPrivate, refusal } = reach;
  const secure = url.protocol === 'https:';
  if (!secure && !(url.protocol === 'http:' && allowPrivate)) {
    const what = 'only https is allowed (http: to this machine, with allowPrivate)';
    return new RatchetError(refusal, what);
  }
  const host = hostOf(url);
  return isIP(host) === 0 ? undefined : refuseAddress(host, reach);
}

function refuseAddress(
  address: string,
  { url, allowPrivate, refusal }: Reach,
): RatchetError | undefined {
  const kind = addressKind(address);
  const host = hostOf(url);
  if (url.protocol === 'http:' && kind !== 'loopback') {
    const what = `without TLS only this machine may be reached; ${host} is ${address}`;
    return new RatchetError(refusal, what);
  }
  if (kind === 'public' || (allowPrivate && kind !== 'forbidden')) return undefined;
  const why = kind === 'forbidden' ? 'which is never allowed' : 'which needs allowPrivate: true';
  return new RatchetError(refusal, `${host} is ${address}, ${why}`);
}

/** Resolves once; one address that is not allowed refuses them all. */
export function checkedLookup(reach: Reach, resolve: Resolve): LookupFunction {
  return (name, options, done) => {
    resolve(name, (error, addresses) => {
      const first = addresses?.[0];
      if (error || !first) {
        done(error ?? new Error(`${name} has no address`), '');
        return;
      }
      const refusal = addresses
        .map(({ address }) => refuseAddress(address, reach))
        .find((found) => found !== undefined);
      if (refusal) done(refusal, '');
      else if (options.all) done(null, [...addresses]);
      else done(null, first.address, first.family);
    });
  };
}
