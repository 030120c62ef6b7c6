import type { Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import type { UploadTable } from './tables.ts';

export type Upload = Selectable<UploadTable>;

/** The name is shown, never used as a path. */
const FILE_NAME_MAX_CHARS = 255;

export interface NewUpload {
  readonly sha256: string;
  readonly fileName: string;
  readonly bytes: number;
  /** Where the artifact store keeps it. */
  readonly artifactUri: string;
  readonly actor: string;
  readonly requestId?: string | undefined;
}

/** Records a caller's file, which lies in the artifact store. The same bytes again: the first row. */
export function recordUpload(db: Db, input: NewUpload): Promise<Upload> {
  return inTransaction(db, async (trx) => {
    const created = await trx
      .insertInto('upload')
      .values({
        sha256: input.sha256,
        file_name: shownName(input.fileName),
        bytes: input.bytes,
        artifact_uri: input.artifactUri,
        actor: input.actor,
      })
      .onConflict((oc) => oc.column('sha256').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!created) return getUploadOrThrow(trx, input.sha256);
    await recordAudit(trx, {
      actor: input.actor,
      action: 'upload.create',
      object: `upload/${input.sha256}`,
      after: { fileName: created.file_name, bytes: input.bytes },
      requestId: input.requestId,
    });
    return created;
  });
}

export function getUpload(db: Db, sha256: string): Promise<Upload | undefined> {
  return db.selectFrom('upload').selectAll().where('sha256', '=', sha256).executeTakeFirst();
}

export async function getUploadOrThrow(db: Db, sha256: string): Promise<Upload> {
  const row = await getUpload(db, sha256);
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
