import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

let counter = 0;

/** Replaces a file as a whole: temporary file, fsync, rename, fsync of the folder. Mode 0600. */
export async function writeFileDurably(path: string, data: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.${counter++}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const parent = await open(folder, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}
