/**
 * Processes of dist/ in a few files each. A process that reads a thousand small modules spends most of its start on finding
 * them; so each entry becomes one file, beside chunks for what is loaded on demand.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build, transform, type Plugin } from 'esbuild';
import { withoutNeedlessNames } from './own-names.ts';

/** What is started as a process or a thread, below dist/. */
const ENTRIES = [
  'api/server.js',
  'api/serving/graph-thread.js',
  'api/cli/main.js',
  'workers/run.js',
  'workers/train-process.js',
  'workers/explain-process.js',
];

/** Libraries of many small modules, which go with ours. Others are loaded from node_modules, native ones among them. */
const TAKEN_ALONG = [
  ...['kysely', 'zod', 'hono', '@hono/node-server', '@hono/zod-openapi', '@hono/zod-validator'],
  ...['@asteasolutions/zod-to-openapi', 'openapi3-ts', 'fflate', 'ulid', 'csv-parse'],
];

const FOLDER = 'bundle';
const nameOf = (entry: string): string => entry.replace(/\.js$/, '').replaceAll('/', '-');
const packageOf = (path: string): string =>
  path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');

/**
 * Writes dist/bundle/ and puts in the place of each entry a line that loads its bundle, so that paths stay as they are.
 * Throws where a module cannot be found.
 */
export async function bundleProcesses(dist: string): Promise<void> {
  const folder = join(dist, FOLDER);
  await build({
    entryPoints: Object.fromEntries(ENTRIES.map((entry) => [nameOf(entry), join(dist, entry)])),
    outdir: folder,
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20' },
    // Everything lies in one folder: `staysInPlace` counts on it.
    chunkNames: '[name]-[hash]',
    // Names of errors and activities are read at run time.
    keepNames: true,
    ...{ sourcemap: 'linked', sourcesContent: false, logLevel: 'warning' },
    plugins: [externals, staysInPlace(dist, folder)],
  });
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
    const path = join(folder, name);
    const code = withoutNeedlessNames(readFileSync(path, 'utf8'));
    // Throws where it would not be read.
    await transform(code, { loader: 'js', target: 'node20', logLevel: 'warning' });
    writeFileSync(path, code);
  }
  for (const entry of ENTRIES) {
    const path = join(dist, entry);
    const from = relative(dirname(path), join(folder, `${nameOf(entry)}.js`));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `import ${JSON.stringify(from.replaceAll('\\', '/'))};\n`);
  }
}

/** Chunks of a bundle have a digest of what they say in their names; entries have none. */
const CHUNK = /-[0-9A-Z]{8}\.js$/;
/** Names the chunks that a build made itself, beside those that it kept. */
const OWN = 'own-chunks.json';

/**
 * Lets processes of the build in `former` find what they load late after `fresh` has taken its place: copies its own
 * chunks, not those that it had kept in the same way. A first build has no former one.
 */
export function keepChunks(former: string, fresh: string): void {
  const [from, to] = [join(former, FOLDER), join(fresh, FOLDER)];
  const own = readdirSync(to).filter((name) => CHUNK.test(name));
  writeFileSync(join(to, OWN), `${JSON.stringify(own)}\n`);
  if (!existsSync(join(from, OWN))) return;
  for (const name of JSON.parse(readFileSync(join(from, OWN), 'utf8')) as string[]) {
    if (!own.includes(name) && existsSync(join(from, name)))
      copyFileSync(join(from, name), join(to, name));
  }
}

const externals: Plugin = {
  name: 'externals',
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || TAKEN_ALONG.includes(packageOf(path))
        ? undefined
        : { path, external: true },
    );
  },
};

/** A module goes on to find the files that lie beside it in dist/. */
const staysInPlace = (dist: string, folder: string): Plugin => ({
  name: 'stays-in-place',
  setup(bundler) {
    bundler.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(dist)) return undefined;
      const code = readFileSync(path, 'utf8');
      if (!/\bimport\.meta\.(url|filename|dirname)\b/.test(code)) return undefined;
      const at = relative(folder, path).replaceAll('\\', '/');
      // On the first line, so that the lines of its source map stay right.
      const place =
        "import { fileURLToPath as $path } from 'node:url'; " +
        `const $url = new URL(${JSON.stringify(at)}, import.meta.url); `;
      const inPlace = code
        .replaceAll(/\bimport\.meta\.url\b/g, '$url.href')
        .replaceAll(/\bimport\.meta\.filename\b/g, '$path($url)')
        .replaceAll(/\bimport\.meta\.dirname\b/g, "$path(new URL('.', $url)).slice(0, -1)");
      return { contents: place + inPlace, loader: 'js' };
    });
  },
});
