import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A program of `.tools/bin` (made by `node infra/setup.mjs`), else one on PATH. */
export function findTool(name: string): string | undefined {
  const folders = [join(ROOT, '.tools', 'bin'), ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** A program of the Python virtual environment that set-up makes, else one on PATH. */
export function findPythonTool(name: string): string | undefined {
  const own = join(ROOT, '.tools', 'venv', 'bin', name);
  return existsSync(own) ? own : findTool(name);
}
