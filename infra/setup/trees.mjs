import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PINS } from './pins.mjs';
import { venvPython } from './python.mjs';
import { ROOT, TOOLS, run } from './run.mjs';
import { downloadWheel } from './wheel.mjs';

const TREES = join(TOOLS, 'trees');
const EXTRACT = join(ROOT, 'infra/setup/extract-libraries.py');
const WITHOUT = 'no family of boosted trees is trained; champions made of trees are served (ONNX)';

const wheelsFor = () => PINS.trees.wheels[`${process.platform}-${process.arch}`];
const LIBRARIES = ['lightgbm/lib/lib_lightgbm.so', 'xgboost/lib/libxgboost.so'];

/** Where distributions keep the OpenMP library; once it is installed the step runs again. */
const hasOpenMp = () =>
  ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'].some(
    (folder) => existsSync(join(folder, 'libgomp.so.1')),
  );

/** What the dynamic loader says in place of a library that the system lacks. */
const LACKS_OPENMP = /libgomp\.so\.1/;

/** Loads both libraries as the training child will; says what the loader misses. */
async function tryLoading() {
  const script = 'process.argv.slice(1).forEach((path) => require("koffi").load(path))';
  const paths = LIBRARIES.map((path) => join(TREES, path));
  try {
    await run(process.execPath, ['-e', script, ...paths], { log: 'trees' });
    return undefined;
  } catch (error) {
    if (!LACKS_OPENMP.test(error.message)) throw error;
    return {
      state: 'missing',
      detail: "LightGBM needs the system's OpenMP library libgomp.so.1",
      fix: 'install libgomp1 (Debian: apt-get install libgomp1), then node infra/setup.mjs',
      without: WITHOUT,
    };
  }
}

/** The C libraries of LightGBM and XGBoost, out of their Python wheels. */
/** @type {import('./steps.mjs').Step} */
export const treesStep = {
  name: 'trees',
  title: 'LightGBM and XGBoost libraries',
  after: ['npm', 'python'],
  key: () => [PINS.trees.pythonVersion, wheelsFor(), readFileSync(EXTRACT, 'utf8'), hasOpenMp()],
  outputs: LIBRARIES.map((path) => `.tools/trees/${path}`),
  async run(say) {
    const wheels = wheelsFor();
    if (!wheels) {
      return {
        state: 'missing',
        detail: `no pinned wheels for ${process.platform}-${process.arch}`,
        fix: 'train on Linux (x64 or arm64)',
        without: WITHOUT,
      };
    }
    const fresh = join(TOOLS, `trees.${process.pid}`);
    try {
      mkdirSync(fresh, { recursive: true });
      for (const wheel of wheels) {
        say(`downloading ${wheel.name} ${wheel.version}`);
        const folder = join(fresh, 'download', wheel.name);
        const { pythonVersion } = PINS.trees;
        const path = await downloadWheel({ ...wheel, pythonVersion }, folder, 'trees');
        await run(venvPython, [EXTRACT, path, fresh], { log: 'trees' });
      }
      rmSync(join(fresh, 'download'), { recursive: true });
      rmSync(TREES, { recursive: true, force: true });
      renameSync(fresh, TREES);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    say('loading the libraries');
    const lacking = await tryLoading();
    if (lacking) return lacking;
    const [lightgbm, xgboost] = wheels;
    return {
      state: 'ready',
      detail: `LightGBM ${lightgbm.version}, XGBoost ${xgboost.version}`,
      version: `${lightgbm.version}/${xgboost.version}`,
      path: '.tools/trees',
    };
  },
};
