import { bindLibrary, type NativeLibrary } from './library.impl.ts';

/** What is called of LightGBM's C interface. */
function bindings(library: NativeLibrary) {
  const { func } = library;
  return {
    digest: library.digest,
    lastError: func('const char* LGBM_GetLastError()'),
    datasetCreate: func(
      'int LGBM_DatasetCreateFromMat(void* data, int type, int32_t rows, int32_t columns, int rowMajor, ' +
        'const char* params, void* reference, _Out_ void** out)',
    ),
    datasetSetField: func(
      'int LGBM_DatasetSetField(void* dataset, const char* name, void* data, int rows, int type)',
    ),
    datasetFree: func('int LGBM_DatasetFree(void* dataset)'),
    leafValue: func(
      'int LGBM_BoosterGetLeafValue(void* booster, int tree, int leaf, _Out_ double* out)',
    ),
    setLeafValue: func(
      'int LGBM_BoosterSetLeafValue(void* booster, int tree, int leaf, double value)',
    ),
    merge: func('int LGBM_BoosterMerge(void* booster, void* other)'),
    create: func('int LGBM_BoosterCreate(void* train, const char* params, _Out_ void** out)'),
    addValid: func('int LGBM_BoosterAddValidData(void* booster, void* valid)'),
    update: func('int LGBM_BoosterUpdateOneIter(void* booster, _Out_ int* finished)'),
    iteration: func('int LGBM_BoosterGetCurrentIteration(void* booster, _Out_ int* out)'),
    answers: func(
      'int LGBM_BoosterGetPredict(void* booster, int part, _Out_ int64_t* length, void* out)',
    ),
    save: func(
      'int LGBM_BoosterSaveModelToString(void* booster, int from, int rounds, int importance, int64_t size, ' +
        '_Out_ int64_t* length, void* out)',
    ),
    load: func(
      'int LGBM_BoosterLoadModelFromString(const char* text, _Out_ int* rounds, _Out_ void** out)',
    ),
    predict: func(
      'int LGBM_BoosterPredictForMat(void* booster, void* data, int type, int32_t rows, int32_t columns, ' +
        'int rowMajor, int kind, int from, int rounds, const char* params, _Out_ int64_t* length, void* out)',
    ),
    scores: func('int LGBM_BoosterGetNumClasses(void* booster, _Out_ int* out)'),
    importance: func(
      'int LGBM_BoosterFeatureImportance(void* booster, int rounds, int kind, void* out)',
    ),
    free: func('int LGBM_BoosterFree(void* booster)'),
  };
}

const bound = bindLibrary('LightGBM', 'lightgbm/lib/lib_lightgbm.so', bindings);
export const lightGbm = bound.functions;
export const check = bound.check;
