/** Spec files as people write them: read, and with the files that they name uploaded. */
import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { ApiClient } from './http.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

/** Files that the API takes; larger ones belong in a dataset of the operator's. */
const UPLOAD_BYTES = 64 * 1024 * 1024;
const SPEC_BYTES = 1024 * 1024;
/** A dataset that looks like a file of the caller's. */
const FILE_LIKE = /[/\\]|\.(csv|csv\.gz|parquet|json|zip|gz)$/i;

/** Reads a spec file; the API checks what stands in it. */
export async function readSpec(file: string): Promise<Record<string, unknown>> {
  const text = await readSmall(file);
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    const reason =
      error instanceof Error ? error.message.split('\n')[0]!.replace(/:$/, '') : String(error);
    throw new CliError(EXIT.usage, `${file} is neither YAML nor JSON: ${reason}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new CliError(EXIT.usage, `${file} does not hold a spec (a mapping such as "name: ...")`, {
    hint: 'docs/spec.md describes every field; examples/ has whole specs',
  });
}

async function readSmall(file: string): Promise<string> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CliError(EXIT.notFound, `there is no file ${file}`, { cause });
  });
  if (!found.isFile()) throw new CliError(EXIT.usage, `${file} is not a file`);
  const { size } = found;
  if (size > SPEC_BYTES) throw new CliError(EXIT.usage, `${file} is too large to be a spec`);
  return readFile(file, 'utf8');
}

/** Replaces each dataset that names a file beside the spec by the hash of its upload. */
export async function uploadFiles(
  ctx: CliContext,
  client: ApiClient,
  spec: Record<string, unknown>,
  folder: string,
): Promise<void> {
  const data = spec['data'] as { sources?: unknown } | undefined;
  if (!Array.isArray(data?.sources)) return;
  for (const source of data.sources as unknown[]) {
    if (typeof source !== 'object' || source === null) continue;
    const use = source as { dataset?: unknown; file?: unknown };
    const named = use.file ?? use.dataset;
    if (typeof named !== 'string' || (use.file === undefined && !FILE_LIKE.test(named))) continue;
    use.dataset = await uploadFile(ctx, client, resolve(folder, named));
    delete use.file;
  }
}

async function uploadFile(ctx: CliContext, client: ApiClient, path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new CliError(EXIT.notFound, `there is no file ${path}`, {
      hint: 'name a dataset (`ratchet datasets`) or a file, relative to the spec',
      cause,
    });
  });
  if (!found.isFile()) throw new CliError(EXIT.usage, `${path} is not a file`);
  if (found.size > UPLOAD_BYTES) {
    throw new CliError(
      EXIT.usage,
      `${path} has ${found.size} bytes; at most ${UPLOAD_BYTES} are taken`,
      {
        hint: 'let the operator define a dataset for it in ratchet.config.yaml',
      },
    );
  }
  ctx.out.progress(`uploading ${basename(path)} (${found.size} bytes)`);
  const bytes = await readFile(path);
  const query = { name: basename(path) };
  const answer = await client.json('POST', '/api/v1/uploads', { bytes, query });
  ctx.out.endProgress();
  return String(answer['dataset']);
}
