import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { NamedDataset } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import type { SourceContext } from '../core/sources/source.ts';
import { queryDataset } from './source-query.ts';

/** No bar file of this field is larger; a larger one is a mistake or an attack. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

/**
 * The doors of one dataset: the hosts and the folder its operator named, and nothing else. Redirects are
 * not followed, because the next host was not named.
 */
export function createSourceContext(dataset: NamedDataset, signal: AbortSignal): SourceContext {
  return {
    http: (url, init) => {
      if (!dataset.hosts.includes(url.host)) throw notAllowed(dataset, `host ${url.host}`);
      // A source may give a request less time, never more.
      const limit = init?.signal ? AbortSignal.any([signal, init.signal]) : signal;
      return fetch(url, { ...init, redirect: 'error', signal: limit });
    },
    openFile: (name) => openFile(dataset, name),
    listFiles: async () => {
      const entries = await readdir(rootOf(dataset), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(rootOf(dataset), join(entry.parentPath, entry.name)))
        .toSorted();
    },
    pathOf: (name) => pathBelow(dataset, name),
    query: (text, values) => queryDataset(dataset, text, values),
    secret: () => {
      if (!dataset.secret) throw notAllowed(dataset, 'a secret: secretFile is not set');
      return dataset.secret();
    },
    clock: () => Date.now(),
    sleep: (ms) => sleep(ms, undefined, { signal }),
    signal,
  };
}

/** Checked after links are resolved, so that neither ".." nor a link leads out of the folder. */
async function pathBelow(dataset: NamedDataset, name: string): Promise<string> {
  const root = await realpath(rootOf(dataset));
  const path = await realpath(join(root, name)).catch((cause: unknown) => {
    throw new RatchetError('source.file-missing', `dataset ${dataset.name} has no file ${name}`, {
      cause,
    });
  });
  if (path !== root && !path.startsWith(root + sep)) throw notAllowed(dataset, `file ${name}`);
  return path;
}

async function openFile(dataset: NamedDataset, name: string): Promise<Uint8Array> {
  const path = await pathBelow(dataset, name);
  const { size } = await stat(path);
  if (size > MAX_FILE_BYTES) {
    throw new RatchetError(
      'source.file-too-large',
      `${name} has ${size} bytes; ${MAX_FILE_BYTES} are allowed`,
    );
  }
  const bytes = await readFile(path);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return gzipped ? promisify(gunzip)(bytes, { maxOutputLength: MAX_FILE_BYTES }) : bytes;
}

function rootOf(dataset: NamedDataset): string {
  if (dataset.root === undefined) throw notAllowed(dataset, 'files');
  return dataset.root;
}

const notAllowed = (dataset: NamedDataset, what: string): RatchetError =>
  new RatchetError('source.not-allowed', `dataset ${dataset.name} may not reach ${what}`);
