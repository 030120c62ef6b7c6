"""Golden values of core/models/trees: what LightGBM and XGBoost say in Python for the same data, parameters and seed.

Run: python3 trees.py > trees.json   (versions are written into the file)
"""
import hashlib
import json
import sys

import lightgbm as lgb
import numpy as np
import xgboost as xgb

ROWS, VALID, TEST, COLUMNS = 600, 200, 40, 6


def uniforms(count, seed):
    """Park and Miller's generator: whole numbers, so every language gets the same doubles."""
    out, state = [], seed
    for _ in range(count):
        state = state * 16807 % 2147483647
        out.append(state / 2147483647)
    return np.array(out)


def data(missing):
    total = ROWS + VALID + TEST
    x = uniforms(total * COLUMNS, 7).reshape(total, COLUMNS)
    noise = uniforms(total, 11)
    signal = x[:, 0] + x[:, 1] * x[:, 2] * 2 - x[:, 3] * 0.5 + noise * 0.6
    if missing:
        x[uniforms(total * COLUMNS, 13).reshape(total, COLUMNS) < 0.1] = np.nan
    # Labels are what a library sees: float32.
    labels = {
        "regression": signal.astype("f4").astype("f8"),
        "binary": (signal > 1.1).astype("f8"),
        "multiclass": np.digitize(signal, [0.9, 1.5]).astype("f8"),
    }
    return x, labels


PARTS = {"train": slice(0, ROWS), "valid": slice(ROWS, ROWS + VALID), "test": slice(ROWS + VALID, None)}
LGB = dict(
    learning_rate=0.1, num_leaves=15, max_depth=-1, min_data_in_leaf=10, feature_fraction=0.7, bagging_fraction=0.6,
    bagging_freq=1, lambda_l1=0.1, lambda_l2=1.5, min_gain_to_split=0.01, max_bin=63, seed=5, num_threads=1,
    deterministic=True, force_row_wise=True, verbosity=-1,
)
XGB = dict(
    learning_rate=0.1, max_depth=4, min_child_weight=3, colsample_bytree=0.7, subsample=0.6, reg_alpha=0.1,
    reg_lambda=1.5, gamma=0.01, max_bin=63, seed=5, seed_per_iteration=True, nthread=1, tree_method="hist", verbosity=0,
)
LGB_TASKS = {
    "regression": dict(objective="regression", metric="l2"),
    "binary": dict(objective="binary", metric="binary_logloss"),
    "multiclass": dict(objective="multiclass", metric="multi_logloss", num_class=3),
}
XGB_TASKS = {
    "regression": dict(objective="reg:squarederror"),
    "binary": dict(objective="binary:logistic"),
    "multiclass": dict(objective="multi:softprob", num_class=3),
}


def balanced(labels):
    """n / (classes x rows of the class)."""
    counts = np.bincount(labels.astype(int))
    return (len(labels) / (len(counts) * counts))[labels.astype(int)]


def clean(values):
    return np.asarray(values, "f8").ravel().tolist()


def lightgbm_case(task, x, y, weights, patience, rounds):
    train = lgb.Dataset(x[PARTS["train"]], y[PARTS["train"]], weight=weights)
    valid = lgb.Dataset(x[PARTS["valid"]], y[PARTS["valid"]], reference=train)
    stop = [lgb.early_stopping(patience, verbose=False)] if patience else []
    booster = lgb.train({**LGB, **LGB_TASKS[task]}, train, rounds, valid_sets=[valid], callbacks=stop)
    best = booster.best_iteration if patience else rounds
    text = booster.model_to_string(num_iteration=best)
    trees = text[text.index("Tree=0"):text.index("end of trees")]
    kept = lgb.Booster(model_str=text)
    test = x[PARTS["test"]]
    return {
        "rounds": best,
        "treesSha256": hashlib.sha256(trees.encode()).hexdigest(),
        "raw": clean(kept.predict(test, raw_score=True)),
        "answers": clean(kept.predict(test)),
        "contributions": clean(kept.predict(test[:8], pred_contrib=True)),
        "gain": clean(kept.feature_importance("gain")),
        "split": clean(kept.feature_importance("split")),
    }


def xgboost_case(task, x, y, weights, patience, rounds):
    train = xgb.DMatrix(x[PARTS["train"]], y[PARTS["train"]], weight=weights)
    valid = xgb.DMatrix(x[PARTS["valid"]], y[PARTS["valid"]])
    booster = xgb.train({**XGB, **XGB_TASKS[task]}, train, rounds, evals=[(valid, "valid")],
                        early_stopping_rounds=patience, verbose_eval=False)
    best = booster.best_iteration + 1 if patience else rounds
    kept = booster[:best]
    test = xgb.DMatrix(x[PARTS["test"]])
    few = xgb.DMatrix(x[PARTS["test"]][:8])
    model = json.loads(kept.save_raw("json"))["learner"]["gradient_booster"]["model"]
    digest = hashlib.sha256()
    for tree in model["trees"]:
        for name in ("left_children", "right_children", "split_indices", "default_left", "split_conditions"):
            digest.update(np.array(tree[name], "<f8").tobytes())
    score = lambda kind: [kept.get_score(importance_type=kind).get(f"f{c}", 0) for c in range(COLUMNS)]
    return {
        "rounds": best,
        "treesSha256": digest.hexdigest(),
        "raw": clean(kept.predict(test, output_margin=True)),
        "answers": clean(kept.predict(test)),
        "contributions": clean(kept.predict(few, pred_contribs=True)),
        "gain": clean(score("total_gain")),
        "split": clean(score("weight")),
    }


def categorical():
    """Models with categories and missing values, for the reader and the graph alone."""
    x, labels = data(missing=True)
    x[:, 4] = np.floor(uniforms(len(x), 17) * 40)
    x[:, 5] = np.floor(uniforms(len(x), 19) * 4)
    y = labels["regression"] + np.isin(x[:, 4], [1, 5, 8, 13, 21, 33]) + (x[:, 5] == 2)
    train = x[PARTS["train"]]
    dataset = lgb.Dataset(train, y[PARTS["train"]], categorical_feature=[4, 5])
    light = lgb.train({**LGB, **LGB_TASKS["regression"], "cat_smooth": 1, "min_data_per_group": 5}, dataset, 12)
    kinds = ["q"] * 4 + ["c"] * 2
    matrix = xgb.DMatrix(train, y[PARTS["train"]], feature_types=kinds, enable_categorical=True)
    extreme = xgb.train({**XGB, **XGB_TASKS["regression"], "max_cat_to_onehot": 5}, matrix, 12)
    return {"lightgbm": light.model_to_string(), "xgboost": extreme.save_raw("json").decode()}


def main():
    cases = []
    for library, run in (("lightgbm", lightgbm_case), ("xgboost", xgboost_case)):
        for task in ("regression", "binary", "multiclass"):
            for missing, weighted, patience in ((False, False, None), (True, False, None), (False, True, None), (False, False, 10)):
                if weighted and task == "regression":
                    continue
                x, labels = data(missing)
                y = labels[task]
                weights = balanced(y[PARTS["train"]]) if weighted else None
                expected = run(task, x, y, weights, patience, 300 if patience else 40)
                cases.append({"library": library, "task": task, "missing": missing, "weighted": weighted,
                              "patience": patience, "expected": expected})
    versions = {"lightgbm": lgb.__version__, "xgboost": xgb.__version__, "numpy": np.__version__}
    json.dump({"versions": versions, "cases": cases, "categorical": categorical()}, sys.stdout)


main()
