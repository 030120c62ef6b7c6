import { treeFamily } from './trees/family.ts';
import { xgBoostEngine } from './trees/xgboost-engine.impl.ts';

export const implementation = treeFamily(xgBoostEngine);
