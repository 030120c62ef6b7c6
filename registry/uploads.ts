import type { Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import type { UploadTable } from './tables.ts';

export type Upload = Selectable<UploadTable>;

/** Largest file a caller may upload: 25 years of minute bars in CSV are about 150 MB. */
export const UPLOAD_BYTES_MAX = 256 * 1024 * 1024;
/** The name is shown, never used as a path. */
const FILE_NAME_MAX_CHARS = 255;

export interface NewUpload {
  readonly fileName: string;
  readonly bytes: Uint8Array;
  readonly actor: string;
  readonly requestId?: string | undefined;
}

/** Keeps a caller's file under its digest. The same bytes again give the first upload's row. */
export async function saveUpload(
  db: Db,
  artifacts: ArtifactStore,
  input: NewUpload,
): Promise<Upload> {
  if (input.bytes.byteLength > UPLOAD_BYTES_MAX) {
    throw new RatchetError(
      'upload.too-large',
      `a file has at most ${UPLOAD_BYTES_MAX} bytes, this one has ${input.bytes.byteLength}`,
    );
  }
  const ref = await artifacts.put(input.bytes);
  return inTransaction(db, async (trx) => {
    const created = await trx
      .insertInto('upload')
      .values({
        sha256: ref.sha256,
        file_name: shownName(input.fileName),
        bytes: ref.bytes,
        artifact_uri: ref.uri,
        actor: input.actor,
      })
      .onConflict((oc) => oc.column('sha256').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!created) return getUploadOrThrow(trx, ref.sha256);
    await recordAudit(trx, {
      actor: input.actor,
      action: 'upload.create',
      object: `upload/${ref.sha256}`,
      after: { fileName: created.file_name, bytes: ref.bytes },
      requestId: input.requestId,
    });
    return created;
  });
}

export async function getUploadOrThrow(db: Db, sha256: string): Promise<Upload> {
  const row = await db
    .selectFrom('upload')
    .selectAll()
    .where('sha256', '=', sha256)
    .executeTakeFirst();
  if (!row) throw new RatchetError('upload.unknown', `there is no upload ${sha256}`);
  return row;
}

/** The file's bytes, digest checked. */
export async function readUpload(
  db: Db,
  artifacts: ArtifactStore,
  sha256: string,
): Promise<Uint8Array> {
  const { artifact_uri: uri } = await getUploadOrThrow(db, sha256);
  return artifacts.get({ uri, sha256 });
}

/** The last part of a path, without control characters. */
function shownName(fileName: string): string {
  const last = fileName.split(/[/\\]/).at(-1) ?? '';
  const shown = last.replaceAll(/\p{Cc}/gu, '').slice(0, FILE_NAME_MAX_CHARS);
  return shown === '' ? 'upload' : shown;
}
