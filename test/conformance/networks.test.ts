/** Those that train networks take longest: a file of their own runs beside the others. */
import { modelFamilies } from '../../core/models/index.ts';
import { modelSuites } from './model-suite.ts';

await modelSuites(modelFamilies.filter(({ traits }) => traits.needsTensorflow));
