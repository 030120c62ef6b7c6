"""LightGBM's own Python package on the same rows with the same parameters: lightgbm_trees.py FOLDER train|predict|fast ROUNDS.

`fast` is what C programs call for one row after another: prepared once, no Python package in between.
"""
import ctypes
import json
import statistics
import sys
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
from protocol import milliseconds, serve

folder, what, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ASKED = 2_000
ours = json.loads((folder / "params.json").read_text())
y = np.fromfile(folder / "y.f64")
x = np.fromfile(folder / "x.f64").reshape(len(y), -1)
params = {
    "objective": "multiclass",
    "num_class": int(y.max()) + 1,
    "learning_rate": ours["learningRate"],
    "num_leaves": ours["numLeaves"],
    "max_depth": ours["maxDepth"],
    "min_data_in_leaf": ours["minDataInLeaf"],
    "feature_fraction": ours["featureFraction"],
    "bagging_fraction": ours["baggingFraction"],
    "bagging_freq": 1 if ours["baggingFraction"] < 1 else 0,
    "lambda_l1": ours["lambdaL1"],
    "lambda_l2": ours["lambdaL2"],
    "min_gain_to_split": ours["minGain"],
    "max_bin": ours["maxBins"],
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def train():
    return lgb.train(params, lgb.Dataset(x, y, params=params), rounds)


booster, row = train(), x[:1].copy()


def ask(**threads):
    times = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        booster.predict(row, **threads)
        times.append(1e6 * (time.perf_counter() - begin))
    return statistics.median(times)


def fast_call():
    """One prepared call of the library for one row, and the answer it writes."""
    library = ctypes.CDLL(str(Path(lgb.__file__).parent / "lib" / "lib_lightgbm.so"))
    # The booster is of the library that the package loaded: the same file is the same library.
    config, length = ctypes.c_void_p(), ctypes.c_int64()
    answer = np.empty(params["num_class"])
    normal, double, everything = 0, 1, -1
    failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, normal, 0, everything, double, row.shape[1], b"num_threads=1", ctypes.byref(config)
    )
    assert failed == 0, "the fast call was refused"
    call = library.LGBM_BoosterPredictForMatSingleRowFast
    arguments = (
        config,
        row.ctypes.data_as(ctypes.c_void_p),
        ctypes.byref(length),
        answer.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
    )
    assert call(*arguments) == 0 and length.value == len(answer)
    assert np.array_equal(answer, booster.predict(row)[0]), "the fast call says something else"
    return call, arguments


def ask_fast():
    times = []
    for _ in range(ASKED):
        begin = time.perf_counter()
        call(*arguments)
        times.append(1e6 * (time.perf_counter() - begin))
    return statistics.median(times)


name = f"lightgbm {lgb.__version__}"
if what == "train":
    serve(name, lambda: milliseconds(train, 1))
elif what == "fast":
    call, arguments = fast_call()
    serve(f"{name} SingleRowFast", ask_fast)
else:
    # One thread is the better of the two for one row, mostly: the best of both counts.
    serve(f"{name} booster.predict", lambda: min(ask(), ask(num_threads=1)))
