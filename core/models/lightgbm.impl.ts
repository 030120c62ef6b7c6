import { treeFamily } from './trees/family.ts';
import { lightGbmEngine } from './trees/lightgbm-engine.impl.ts';

export const implementation = treeFamily(lightGbmEngine);
