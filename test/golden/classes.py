"""Golden values of core/metrics/classes and of the information coefficients: scikit-learn, scipy and pandas compute
what the TypeScript must compute.

Run: python3 classes.py > classes.json   (needs scikit-learn, scipy, pandas; versions are written into the file)
"""
import json
import sys
import warnings

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy import stats
from sklearn import metrics as m

rng = np.random.default_rng(20260105)
DAY_MS = 86_400_000
START = 1_577_836_800_000  # 2020-01-01 UTC


def probabilities(actual, k, skill, decimals):
    logits = rng.standard_normal((len(actual), k)) + skill * np.eye(k)[actual]
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    # Rounded scores have ties, which is where areas and ranks go wrong.
    p = np.round(p, decimals)
    return p / p.sum(1, keepdims=True)


def by_bins(p, hit):
    gap = 0.0
    edges = np.minimum(9, np.floor(p * 10)).astype(int)
    for b in range(10):
        inside = edges == b
        if inside.any():
            gap += abs(hit[inside].mean() - p[inside].mean()) * inside.mean()
    return gap


def auc_of(is_class, score):
    return m.roc_auc_score(is_class, score)


def classification(n, classes, shares, skill, decimals):
    k = len(classes)
    actual = rng.choice(k, size=n, p=shares)
    p = probabilities(actual, k, skill, decimals)
    priors = np.array([0.25, 0.5, 0.25]) if k == 3 else np.array([0.6, 0.4])
    answer = p.argmax(1)
    at_priors = (p / priors).argmax(1)
    came = sorted(set(actual))
    kw = {"labels": came, "average": "macro", "zero_division": 0}
    want = {
        "logLoss": -np.mean(np.log(np.clip(p[np.arange(n), actual], 0.001, 0.999))),
        "brier": np.mean(((p - np.eye(k)[actual]) ** 2).sum(1)),
        "ece": by_bins(p.max(1), answer == actual),
        "accuracy": m.accuracy_score(actual, answer),
        "balancedAccuracy": m.recall_score(actual, answer, **kw),
        "balancedAccuracyAtPriors": m.recall_score(actual, at_priors, **kw),
        "mcc": m.matthews_corrcoef(actual, answer),
        "macroPrecision": m.precision_score(actual, answer, **kw),
        "macroRecall": m.recall_score(actual, answer, **kw),
        "macroF1": m.f1_score(actual, answer, **kw),
        "auc": np.mean([auc_of(actual == c, p[:, c]) for c in came]),
    }
    if p.min() >= 0.001:
        assert abs(want["logLoss"] - m.log_loss(actual, p, labels=range(k))) < 1e-12
    if len(came) == k:
        assert abs(want["balancedAccuracy"] - m.balanced_accuracy_score(actual, answer)) < 1e-12
        if k == 3:
            ovr = m.roc_auc_score(actual, p, multi_class="ovr", average="macro")
            assert abs(want["auc"] - ovr) < 1e-12
    if k == 3:
        moved = actual != 1
        both = 0 in came and 2 in came
        want["aucDirection"] = auc_of(actual[moved] == 2, (p[:, 2] - p[:, 0])[moved]) if both else None
    for c, name in enumerate(classes):
        each = {"labels": [c], "average": "macro", "zero_division": 0}
        want[f"precision_{name}"] = m.precision_score(actual, answer, **each)
        want[f"recall_{name}"] = m.recall_score(actual, answer, **each) if c in came else None
        want[f"f1_{name}"] = m.f1_score(actual, answer, **each) if c in came else None
    return {
        "classes": classes, "actual": actual.tolist(), "probabilities": p.ravel().tolist(),
        "priors": priors.tolist(), "want": want,
        "confusion": m.confusion_matrix(actual, answer, labels=range(k)).tolist(),
    }


def ic_of(groups):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ic = groups.apply(lambda g: g.forecast.corr(g.outcome)).dropna()
        rank = groups.apply(lambda g: g.forecast.corr(g.outcome, method="spearman")).dropna()
    return ic, rank


def one_instrument(n):
    """IC over all rows, ratios over calendar months with ten rows or more."""
    time = START + DAY_MS * np.arange(n)
    outcome = 0.02 * rng.standard_normal(n)
    forecast = np.round(0.2 * outcome + 0.01 * rng.standard_normal(n), 3)
    frame = pd.DataFrame({"forecast": forecast, "outcome": outcome})
    month = pd.to_datetime(time, unit="ms").strftime("%Y-%m")
    # What each month with ten rows or more adds to the correlation over all rows: no month's own means are taken out.
    def shares(columns):
        z = (columns - columns.mean()) / columns.std(ddof=0)
        groups = (z.forecast * z.outcome).groupby(month)
        return groups.mean()[groups.size() >= 10]

    ic, rank = shares(frame), shares(frame.rank())
    return {
        "openTime": time.tolist(), "forecast": forecast.tolist(), "outcome": outcome.tolist(),
        "want": {
            "ic": stats.pearsonr(forecast, outcome).statistic,
            "rankIc": stats.spearmanr(forecast, outcome).statistic,
            "icir": ic.mean() / ic.std(), "rankIcir": rank.mean() / rank.std(),
        },
    }


def panel(n, instruments):
    """qlib's definition: ICs by time stamp, here with five instruments or more; some rows are missing."""
    time = np.repeat(START + DAY_MS * np.arange(n), instruments)
    market = np.repeat(rng.standard_normal(n), instruments)
    outcome = 0.02 * (market + rng.standard_normal(n * instruments))
    forecast = np.round(0.3 * outcome + 0.01 * rng.standard_normal(n * instruments), 3)
    kept = rng.random(n * instruments) < 0.85
    frame = pd.DataFrame({"time": time, "forecast": forecast, "outcome": outcome})[kept]
    enough = frame.groupby("time").filter(lambda g: len(g) >= 5)
    ic, rank = ic_of(enough.groupby("time"))
    return {
        "openTime": frame.time.tolist(), "forecast": frame.forecast.tolist(), "outcome": frame.outcome.tolist(),
        "want": {
            "ic": ic.mean(), "rankIc": rank.mean(),
            "icir": ic.mean() / ic.std(), "rankIcir": rank.mean() / rank.std(),
        },
    }


def resampled():
    """Exact resamples: the metric of the rows that the blocks name, each as often as it was drawn."""
    n, block, resamples = 61, 5, 30
    per = -(-n // block)
    starts = rng.integers(0, n, (resamples, per))
    actual = rng.choice(3, size=n, p=[0.3, 0.4, 0.3])
    p = probabilities(actual, 3, 0.6, 2)
    change = 0.02 * (actual - 1) + 0.01 * rng.standard_normal(n)
    expected = np.round(p[:, 2] - p[:, 0], 2) * 0.02
    index = np.stack([((s[:, None] + np.arange(block)) % n).ravel()[:n] for s in starts])

    def auc(rows):
        y, q = actual[rows], p[rows]
        return np.mean([auc_of(y == c, q[:, c]) for c in range(3) if 0 < (y == c).sum() < n])

    def direction(rows):
        y, q = actual[rows], p[rows]
        return auc_of((y == 2)[y != 1], (q[:, 2] - q[:, 0])[y != 1])

    of = {
        "auc": auc, "aucDirection": direction,
        "mcc": lambda rows: m.matthews_corrcoef(actual[rows], p[rows].argmax(1)),
        "ece": lambda rows: by_bins(p[rows].max(1), p[rows].argmax(1) == actual[rows]),
        "ic": lambda rows: stats.pearsonr(expected[rows], change[rows]).statistic,
        "rankIc": lambda rows: stats.spearmanr(expected[rows], change[rows]).statistic,
    }
    intervals = {}
    for name, value in of.items():
        values = [value(rows) for rows in index]
        intervals[name] = [value(np.arange(n)), *np.percentile(values, [2.5, 97.5])]
    return {
        "n": n, "block": block, "resamples": resamples, "starts": starts.ravel().tolist(),
        "actual": actual.tolist(), "probabilities": p.ravel().tolist(), "change": change.tolist(),
        "expectedChange": expected.tolist(), "intervals": intervals,
    }


THREE, TWO = ["sell", "hold", "buy"], ["hold", "buy"]
json.dump(
    {
        "generator": f"test/golden/classes.py, python {sys.version.split()[0]}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, pandas {pd.__version__}",
        "classification": [
            classification(200, THREE, [0.25, 0.5, 0.25], 0.5, 6),
            classification(150, THREE, [0.3, 0.4, 0.3], 0.0, 1),
            classification(120, TWO, [0.7, 0.3], 0.4, 2),
            classification(90, THREE, [0.4, 0.6, 0.0], 0.3, 2),
        ],
        "oneInstrument": one_instrument(190),
        "panel": panel(40, 8),
        "resampled": resampled(),
    },
    sys.stdout,
    default=float,
)
