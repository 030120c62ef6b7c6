import type { LstmClassifierParams } from './lstm-classifier.ts';
import { lstmDesign } from './lstm/design.impl.ts';
import { networkImplementation } from './network/family.impl.ts';

export const implementation = networkImplementation<LstmClassifierParams>({
  kind: 'lstm-classifier',
  version: 1,
  design: (params, { inputs, horizons, classes }) =>
    lstmDesign(
      { inputs, units: params.units, dense: params.dense, branch: 0, horizons, outputs: classes },
      params,
    ),
});
