import type { LstmClassifierParams } from './lstm-classifier.ts';
import { CLASSIFIER_FILE, classifierShape } from './lstm/classifier.ts';
import { lstmDesign } from './lstm/design.impl.ts';
import { networkImplementation } from './network/family.impl.ts';

export const implementation = networkImplementation<LstmClassifierParams>({
  ...CLASSIFIER_FILE,
  design: (params, sizes) => lstmDesign(classifierShape(params, sizes), params),
});
