import { existsSync } from 'node:fs';

const place = (path: string): URL => new URL(`../../.tools/trees/${path}`, import.meta.url);

/** Reason to skip what needs the libraries of boosted trees, or `false` where set-up has made them. */
export const withoutTrees: string | false =
  existsSync(place('lightgbm/lib/lib_lightgbm.so')) &&
  existsSync(place('xgboost/lib/libxgboost.so'))
    ? false
    : 'the libraries of boosted trees are not installed: run `node infra/setup.mjs`';
