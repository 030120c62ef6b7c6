import type { LstmParams } from './lstm-multi-horizon.ts';
import { lstmDesign } from './lstm/design.impl.ts';
import { networkImplementation } from './network/family.impl.ts';

export const implementation = networkImplementation<LstmParams>({
  kind: 'lstm-model',
  version: 1,
  design: (params, { inputs, horizons }) =>
    lstmDesign(
      {
        inputs,
        units: params.units,
        dense: params.dense,
        branch: params.branch,
        horizons,
        outputs: 1,
      },
      params,
    ),
});
