/** A file of the API that may be large: it goes on where it was cut, also in a later command. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from './http.ts';
import { CliError, EXIT, type CliContext } from './output.ts';
import { fileProblem } from './range-file.ts';

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Times in a row that nothing came before it gives up (a minute), and the first wait between them. */
const ATTEMPTS = 8;
const WAIT_MS = 250;
const PARTIAL = 206;
const TOLD_BYTES = 16 * 1024 * 1024;

/** Writes `<file>.<digest>.part` first: what bears the name of the file is whole, and its digest right. */
export async function downloadTo(
  ctx: CliContext,
  client: ApiClient,
  asked: Downloaded,
  file: string,
): Promise<void> {
  const part = `${file}.${asked.sha256.slice(0, 12)}.part`;
  let failures = 0;
  for (let have = await sizeOf(part); have < asked.bytes;) {
    try {
      await fetchInto(ctx, client, asked, part, have);
    } catch (error) {
      if (ctx.signal.aborted || !mayPass(error)) throw error;
      if (failures >= ATTEMPTS) throw error;
    }
    const now = await sizeOf(part);
    failures = now > have ? 0 : failures + 1;
    have = now;
    if (have < asked.bytes) {
      await pause(WAIT_MS * 2 ** Math.max(0, failures - 1), undefined, { signal: ctx.signal });
    }
  }
  if ((await digestOf(part)) !== asked.sha256) {
    await rm(part, { force: true });
    throw new CliError(EXIT.failed, `what came is not what ${asked.path} has: ask again`);
  }
  await rename(part, file).catch((cause: unknown) => {
    throw fileProblem(file, cause);
  });
}

/** Servers come back, and a way that was cut may be there again; what is refused or cannot be written stays so. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof CliError)) return true;
  const status = Number(error.details['status'] ?? Infinity);
  return error.exitCode === EXIT.notRunning || (status >= 429 && Number.isFinite(status));
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

async function fetchInto(
  ctx: CliContext,
  client: ApiClient,
  { path, bytes, sha256 }: Downloaded,
  part: string,
  have: number,
): Promise<void> {
  const headers = { range: `bytes=${have}-`, 'if-range': `"${sha256}"` };
  const response = await client.send('GET', path, { headers }, true);
  const goesOn = response.status === PARTIAL;
  const file = await open(part, goesOn ? 'a' : 'w').catch((cause: unknown) => {
    throw fileProblem(part, cause);
  });
  let written = goesOn ? have : 0;
  try {
    for await (const chunk of response.body!) {
      await file.appendFile(chunk as Uint8Array).catch((cause: unknown) => {
        throw fileProblem(part, cause);
      });
      const told = Math.floor(written / TOLD_BYTES);
      written += (chunk as Uint8Array).length;
      if (Math.floor(written / TOLD_BYTES) > told) {
        ctx.out.progress(`${Math.floor((100 * written) / bytes)} % of ${bytes} bytes`, 'bytes');
      }
    }
  } finally {
    await file.close();
  }
}
