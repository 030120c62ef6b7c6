import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

/** One thread, as in the training child: sums in another order give other last bits. */
Object.assign(process.env, {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
});

const folder = dirname(
  createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json'),
);

/** Reason to skip what needs TensorFlow, or `false` where it is installed. */
export const withoutTensorflow: string | false = existsSync(
  join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'),
)
  ? false
  : 'TensorFlow is not installed: run `node infra/setup.mjs`';
