import { bindLibrary, type NativeLibrary } from './library.impl.ts';

/** What is called of XGBoost's C interface. */
function bindings(library: NativeLibrary) {
  const { func } = library;
  return {
    digest: library.digest,
    lastError: func('const char* XGBGetLastError()'),
    version: func('void XGBoostVersion(_Out_ int* major, _Out_ int* minor, _Out_ int* patch)'),
    matrixCreate: func(
      'int XGDMatrixCreateFromMat(void* data, uint64_t rows, uint64_t columns, float missing, _Out_ void** out)',
    ),
    matrixSet: func(
      'int XGDMatrixSetFloatInfo(void* matrix, const char* field, void* data, uint64_t rows)',
    ),
    matrixFree: func('int XGDMatrixFree(void* matrix)'),
    create: func('int XGBoosterCreate(void** matrices, uint64_t count, _Out_ void** out)'),
    setParam: func('int XGBoosterSetParam(void* booster, const char* name, const char* value)'),
    update: func('int XGBoosterUpdateOneIter(void* booster, int round, void* train)'),
    predict: func(
      'int XGBoosterPredictFromDMatrix(void* booster, void* matrix, const char* config, ' +
        '_Out_ void** shape, _Out_ uint64_t* dimensions, _Out_ void** out)',
    ),
    rounds: func('int XGBoosterBoostedRounds(void* booster, _Out_ int* out)'),
    slice: func('int XGBoosterSlice(void* booster, int from, int to, int step, _Out_ void** out)'),
    save: func(
      'int XGBoosterSaveModelToBuffer(void* booster, const char* config, _Out_ uint64_t* length, _Out_ void** out)',
    ),
    load: func('int XGBoosterLoadModelFromBuffer(void* booster, void* bytes, uint64_t length)'),
    scores: func(
      'int XGBoosterFeatureScore(void* booster, const char* config, _Out_ uint64_t* count, _Out_ void** names, ' +
        '_Out_ uint64_t* dimensions, _Out_ void** shape, _Out_ void** out)',
    ),
    free: func('int XGBoosterFree(void* booster)'),
  };
}

const bound = bindLibrary('XGBoost', 'xgboost/lib/libxgboost.so', bindings);
export const xgBoost = bound.functions;
export const check = bound.check;
