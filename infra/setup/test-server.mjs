import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { PINS } from './pins.mjs';
import { ROOT, TOOLS, run, which } from './run.mjs';

const NAME = 'temporal-test-server';
const JARS = join(TOOLS, 'test-server');
const WRAPPER = join(TOOLS, 'bin', NAME);
const own = (name) => join(ROOT, 'infra/setup/test-server', name);
const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The jars of a folder must be those of jars.sha256, byte for byte, and no others. */
export function checkJars(folder) {
  const pinned = new Map(
    readFileSync(own('jars.sha256'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/).reverse()),
  );
  const names = readdirSync(folder);
  const strange = names.filter((name) => sha256(join(folder, name)) !== pinned.get(name));
  const absent = [...pinned.keys()].filter((name) => !names.includes(name));
  if (strange.length > 0) throw new Error(`not the pinned bytes: ${strange.join(', ')}`);
  if (absent.length > 0) throw new Error(`not delivered: ${absent.join(', ')}`);
  return names.length;
}

/** A small heap and the quick compiler: each test file starts a server of its own. */
const wrapper = `#!/bin/sh
jars="$(dirname "$0")/../test-server"
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" \\
  io.temporal.testserver.TestServer "$@"
`;

/**
 * Temporal's test server, in which weeks pass in seconds. Only tests want it, so set-up fetches it
 * only when asked to (`--tests`).
 * @type {import('./steps.mjs').Step}
 */
export const testServerStep = {
  name: 'test-server',
  title: 'Temporal time-skipping test server',
  key: () => [
    PINS.mavenDependencyPlugin,
    sha256(own('pom.xml')),
    sha256(own('jars.sha256')),
    wrapper,
    which('java') ?? null,
    which('mvn') ?? null,
  ],
  outputs: [relative(ROOT, WRAPPER), relative(ROOT, JARS)],
  async run(say) {
    const lacking = ['java', 'mvn'].filter((name) => which(name) === undefined);
    if (lacking.length > 0 || process.platform === 'win32') {
      return {
        state: 'missing',
        detail: lacking.length > 0 ? `no ${lacking.join(' and no ')} on PATH` : 'not on Windows',
        fix: 'install a JDK and Maven (Debian: apt-get install default-jdk-headless maven), then node infra/setup.mjs --tests',
        without: 'tests of trials that last weeks are skipped; Ratchet itself does not use it',
      };
    }
    const fresh = `${JARS}.${process.pid}`;
    try {
      say('asking Maven for its jars');
      const goal = `${PINS.mavenDependencyPlugin}:copy-dependencies`;
      const options = ['-DincludeScope=runtime', `-DoutputDirectory=${fresh}`];
      await run('mvn', ['-B', '-q', '-f', own('pom.xml'), goal, ...options], {
        log: 'test-server',
        timeoutMs: 300_000,
      });
      const count = checkJars(fresh);
      rmSync(JARS, { recursive: true, force: true });
      renameSync(fresh, JARS);
      mkdirSync(join(TOOLS, 'bin'), { recursive: true });
      writeFileSync(`${WRAPPER}.new`, wrapper);
      chmodSync(`${WRAPPER}.new`, 0o755);
      renameSync(`${WRAPPER}.new`, WRAPPER);
      const version = /temporal-test-server<\/artifactId>\s*<version>([^<]+)/.exec(
        readFileSync(own('pom.xml'), 'utf8'),
      )[1];
      const detail = `temporal-test-server ${version} (${count} jars)`;
      return { state: 'ready', detail, path: relative(ROOT, WRAPPER), version };
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  },
};
