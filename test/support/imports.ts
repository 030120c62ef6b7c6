/** Reads the import lines of TypeScript files. Prettier keeps their shape, so lines are enough. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

export interface Import {
  /** File that imports, relative to the root. */
  readonly from: string;
  /** Path relative to the root for our own files, else the package or `node:` name. */
  readonly to: string;
  readonly kind: 'runtime' | 'type' | 'dynamic';
  readonly line: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const STATIC = /^(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s*from\s+)?'([^']+)'/gm;
const DYNAMIC = /(?<!typeof )\bimport\(\s*'([^']+)'\s*\)(?!\.[A-Z])/g;

const withoutComments = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/^\s*\/\/.*$/gm, '');

/** `import { type A, type B }` names types only, and is erased with them. */
const onlyTypes = (names: string): boolean =>
  names.startsWith('{') &&
  names
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .every((name) => name.startsWith('type '));

function importsOf(path: string, text: string): readonly Import[] {
  const lineAt = (index: number): number => text.slice(0, index).split('\n').length;
  const target = (name: string): string =>
    name.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), name)) : name;
  const fixed = [...text.matchAll(STATIC)].map((match): Import => {
    const [, type, names = '', name = ''] = match;
    const kind = type !== undefined || onlyTypes(names) ? 'type' : 'runtime';
    return { from: path, to: target(name), kind, line: lineAt(match.index) };
  });
  const late = [...text.matchAll(DYNAMIC)].map((match): Import => {
    return { from: path, to: target(match[1]!), kind: 'dynamic', line: lineAt(match.index) };
  });
  return [...fixed, ...late];
}

/** Every TypeScript file under the folders, with its imports. */
export function readSources(root: string, folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .map((path) => {
        const text = withoutComments(readFileSync(join(root, path), 'utf8'));
        return { path, text, imports: importsOf(path, text) };
      }),
  );
}

/** Cycles of runtime imports, each as the files on its way. */
export function cycles(files: readonly SourceFile[]): readonly (readonly string[])[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: (readonly string[])[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at !== -1) {
      found.push([...way.slice(at), path]);
      return;
    }
    if (done.has(path)) return;
    for (const { to, kind } of byPath.get(path)?.imports ?? []) {
      if (kind === 'runtime' && byPath.has(to)) visit(to, [...way, path]);
    }
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return found;
}

/** What `entry` loads at its start: files and packages, each with the file that asks for it. */
export function loadedBy(entry: string, files: readonly SourceFile[]): ReadonlyMap<string, string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const seen = new Map<string, string>([[entry, '']]);
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const { to, kind } of byPath.get(path)?.imports ?? []) {
      if (kind !== 'runtime' || seen.has(to)) continue;
      seen.set(to, path);
      queue.push(to);
    }
  }
  return seen;
}

export const folderOf = (path: string): string => dirname(path).split('/')[0]!;
