import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { PINS } from './pins.mjs';
import { venvPython, venvUv } from './python.mjs';
import { ROOT, TOOLS, run, which } from './run.mjs';
import { downloadWheel } from './wheel.mjs';

const TF = join(TOOLS, 'tensorflow');
const LIB = join(TF, 'deps/lib');
const BINDING = 'lib/napi-v8/tfjs_binding.node';
const TFJS = join(ROOT, 'node_modules/@tensorflow/tfjs-node');
const WITHOUT = 'serve-only: champions are served (ONNX), nothing is trained';

/**
 * Is an NVIDIA GPU in this machine? Looked at without starting a process. RATCHET_TENSORFLOW (`cpu`
 * or `cuda`) decides instead, e.g. where an image is made for other machines.
 */
export function hasGpu() {
  const asked = process.env.RATCHET_TENSORFLOW;
  if (asked === 'cpu' || asked === 'cuda') return asked === 'cuda';
  return existsSync('/proc/driver/nvidia/version') || which('nvidia-smi') !== undefined;
}

function wheelFor() {
  const machine = `${process.platform}-${process.arch}`;
  const { wheels } = PINS.tensorflow;
  return (hasGpu() && wheels[`${machine}-cuda`]) || wheels[machine];
}

/** @type {import('./steps.mjs').Step} */
export const tensorflowStep = {
  name: 'tensorflow',
  title: 'TensorFlow library',
  after: ['python'],
  key: () => [
    PINS.tensorflow.version,
    wheelFor(),
    readFileSync(join(ROOT, 'infra/setup/extract-wheel.py'), 'utf8'),
  ],
  outputs: ['.tools/tensorflow/deps/lib/libtensorflow.so'],
  async run(say) {
    const wheel = wheelFor();
    if (!wheel) {
      return {
        state: 'missing',
        detail: `no pinned wheel for ${process.platform}-${process.arch}`,
        fix: 'npm rebuild @tensorflow/tfjs-node --ignore-scripts=false   (the package downloads its own library)',
        without: WITHOUT,
      };
    }
    const fresh = join(TOOLS, `tensorflow.${process.pid}`);
    try {
      say(`downloading ${wheel.name} ${PINS.tensorflow.version}`);
      const { version, pythonVersion } = PINS.tensorflow;
      const pinned = { ...wheel, version, pythonVersion };
      const path = await downloadWheel(pinned, join(fresh, 'download'), 'tensorflow');
      say('taking the library out of the wheel');
      await run(venvPython, [join(ROOT, 'infra/setup/extract-wheel.py'), path, fresh], {
        log: 'tensorflow',
      });
      rmSync(join(fresh, 'download'), { recursive: true });
      if (wheel.name === 'tensorflow' && hasGpu() && process.arch === 'x64') {
        say('downloading the CUDA libraries');
        const args = ['pip', 'install', '--python', venvPython, '--no-deps', '--require-hashes'];
        const where = ['--target', join(fresh, 'deps'), '-r', join(ROOT, 'infra/setup/cuda.txt')];
        await run(venvUv, [...args, ...where], { log: 'tensorflow' });
      }
      for (const name of ['cc', 'framework']) {
        const link = name === 'cc' ? 'libtensorflow.so' : 'libtensorflow_framework.so';
        symlinkSync(`libtensorflow_${name}.so.2`, join(fresh, 'deps/lib', link));
      }
      rmSync(TF, { recursive: true, force: true });
      renameSync(fresh, TF);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    const kind = wheel.name === 'tensorflow' && hasGpu() ? 'CUDA' : 'CPU';
    const { version } = PINS.tensorflow;
    return {
      state: 'ready',
      detail: `TensorFlow ${version} for ${kind}`,
      version,
      path: relative(ROOT, LIB),
      device: kind,
    };
  },
};

/** Points `name` inside the npm package at our folder, with a relative link (the project may move). */
function link(name) {
  const place = join(TFJS, name);
  if (lstatSync(place, { throwIfNoEntry: false })) rmSync(place, { recursive: true });
  symlinkSync(relative(TFJS, join(TF, name)), place, 'junction');
}

async function compile(compiler) {
  const out = join(TF, `${BINDING}.${process.pid}`);
  mkdirSync(join(out, '..'), { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((f) => join(TFJS, 'binding', f));
  const include = [
    join(TF, 'deps/include'),
    TFJS,
    join(ROOT, 'node_modules/node-api-headers/include'),
  ];
  const options = ['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8'];
  await run(
    compiler,
    [
      ...options,
      '-DNODE_GYP_MODULE_NAME=tfjs_binding',
      ...include.flatMap((folder) => ['-I', folder]),
      ...sources,
      `-L${LIB}`,
      '-ltensorflow',
      '-ltensorflow_framework',
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
      '-o',
      out,
    ],
    { log: 'tfjs' },
  );
  renameSync(out, join(TF, BINDING));
}

/** Node's binding of TensorFlow, compiled against the library above with Node's stable C interface. */
/** @type {import('./steps.mjs').Step} */
export const tfjsStep = {
  name: 'tfjs',
  title: 'tfjs-node binding',
  after: ['npm', 'tensorflow'],
  key: () => [
    wheelFor(),
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies[
      '@tensorflow/tfjs-node'
    ],
    process.arch,
    which('g++') ?? which('c++') ?? null,
  ],
  outputs: [`.tools/tensorflow/${BINDING}`, `node_modules/@tensorflow/tfjs-node/${BINDING}`],
  async run(say) {
    const compiler = which('g++') ?? which('c++');
    if (!existsSync(join(TF, BINDING))) {
      if (!compiler) {
        return {
          state: 'missing',
          detail: 'no C++ compiler',
          fix: 'install g++ (Debian: apt-get install g++), then node infra/setup.mjs',
          without: WITHOUT,
        };
      }
      say('compiling the binding');
      await compile(compiler);
    }
    link('deps');
    link('lib');
    const binding = join(TFJS, BINDING);
    const script = 'console.log(require(process.argv[1]).TF_Version)';
    const version = (await run(process.execPath, ['-e', script, binding], { log: 'tfjs' })).trim();
    return {
      state: 'ready',
      detail: `binding loads TensorFlow ${version}`,
      version,
      path: relative(ROOT, binding),
    };
  },
};
