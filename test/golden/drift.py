"""Golden values of core/drift: scipy, numpy and scikit-learn compute what the TypeScript must compute.

Run: python3 drift.py > drift.json   (needs numpy, scipy and scikit-learn; versions are written into the file)
"""
import json
import sys

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(20260404)


def psi(reference, window, bins=10):
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins))
    index = lambda x: np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    shares = lambda x: (index(x) + 0.5) / (len(x) + 0.5 * (len(edges) + 1))
    r, w = shares(reference), shares(window)
    return np.sum((w - r) * np.log(w / r))


def numeric(reference, window):
    iqr = np.subtract(*np.quantile(reference, [0.75, 0.25]))
    spread = iqr if iqr > 0 else reference.std() if reference.std() > 0 else 1
    return {
        "reference": reference.tolist(), "window": window.tolist(), "psi": psi(reference, window),
        "ks": stats.ks_2samp(window, reference).statistic,
        "wasserstein": stats.wasserstein_distance(reference, window) / spread,
    }


def categorical(reference, window):
    values = np.unique(np.concatenate([reference, window]))
    table = [[np.sum(x == v) for v in values] for x in (reference, window)]
    chi2 = stats.chi2_contingency(table, correction=False).statistic
    return {"reference": reference.tolist(), "window": window.tolist(), "chi-square": chi2 / (len(reference) + len(window))}


def logistic(rows, columns, penalty):
    x = rng.standard_normal((rows, columns))
    y = (x @ rng.standard_normal(columns) + rng.standard_normal(rows) > 0.3).astype(int)
    model = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=10000).fit(x, y)
    scores = np.round(x @ model.coef_[0], 1)
    return {
        "columns": columns, "x": x.ravel().tolist(), "y": y.tolist(), "penalty": penalty,
        "coefficients": model.coef_[0].tolist(), "intercept": model.intercept_[0],
        "scores": scores.tolist(), "auc": roc_auc_score(y, scores),
    }


def bh(p, q):
    return {"p": p, "q": q, "rejected": (stats.false_discovery_control(p) <= q).tolist()}


normal = rng.standard_normal
ties = lambda n, shift=0: np.round(normal(n) + shift)
json.dump(
    {
        "generator": f"test/golden/drift.py, python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}",
        "numeric": [
            numeric(normal(120), normal(40)), numeric(normal(80), 0.7 + 1.5 * normal(31)),
            numeric(ties(100), ties(50, 1)), numeric(rng.standard_t(3, 60), rng.standard_t(3, 60) + 9),
            numeric(np.concatenate([np.zeros(90), normal(10)]), normal(20)), numeric(np.full(30, 2.0), np.full(10, 3.5)),
        ],
        "categorical": [
            categorical(rng.integers(0, 5, 200), rng.integers(0, 5, 50)), categorical(rng.integers(0, 2, 40), rng.integers(0, 7, 40)),
            categorical(np.zeros(20, int), np.ones(10, int)),
        ],
        "logistic": [logistic(60, 3, 1.0), logistic(40, 12, 0.3), logistic(200, 5, 10.0)],
        "benjaminiHochberg": [
            bh([0.01, 0.02, 0.03, 0.04, 0.5], 0.1), bh([0.04, 0.3, 0.2, 0.9], 0.1), bh([0.09, 0.08, 0.07, 0.1, 0.06], 0.1),
            bh(np.round(rng.uniform(size=30) ** 2, 3).tolist(), 0.1),
        ],
    },
    sys.stdout,
    default=float,
)
