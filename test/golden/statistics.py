"""Golden values of core/metrics: scipy and numpy compute what the TypeScript must compute.

Run: python3 statistics.py > statistics.json   (needs numpy and scipy; versions are written into the file)
"""
import json
import sys

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(20260101)


def t_tails():
    cases = [(t, df) for df in (1, 2, 4, 4.7, 12, 51, 719, 1e5) for t in (-40, -2.5, -0.3, 0, 1e-6, 0.7, 1.96, 6, 40)]
    return [{"t": t, "df": df, "p": stats.t.sf(t, df)} for t, df in cases]


def ar1(n, phi):
    x = np.empty(n)
    x[0] = rng.standard_normal()
    for i in range(1, n):
        x[i] = phi * x[i - 1] + rng.standard_normal()
    return x


def comparison(n, h, seeds, shift):
    other = (1 + 0.3 * ar1(n, 0.8)) ** 2 + 0.1
    challenger = [other - shift + 0.1 * ar1(n, 0.6) for _ in range(seeds)]
    d = other - np.mean(challenger, axis=0)
    mean = d.mean()
    terms = max(4, int(np.floor(min(0.4 * n ** (2 / 3), n / (2 * h)))))
    i = np.arange(n)
    a = np.array([np.sqrt(2 / n) * np.sum(d * np.cos(np.pi * j * (i + 0.5) / n)) for j in range(1, terms + 1)])
    v1 = np.mean(a**2) / n
    s2 = np.var([c.mean() for c in challenger], ddof=1) if seeds > 1 else 0.0
    v2 = s2 / seeds
    df = (v1 + v2) ** 2 / (v1**2 / terms + v2**2 / (seeds - 1)) if v2 > 0 else terms
    stat = mean / np.sqrt(v1 + v2)
    c = d - mean
    gamma = [np.sum(c[lag:] * c[: n - lag]) / n for lag in range(h)]
    var = gamma[0] + 2 * sum(gamma[1:])
    hln = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    dm = mean / np.sqrt(var / n) * hln if var > 0 else None
    return {
        "n": n, "h": h, "other": other.tolist(), "challenger": [c.tolist() for c in challenger],
        "meanDifference": mean, "seedVariance": s2, "terms": terms, "statistic": stat, "df": df,
        "p": stats.t.sf(stat, df), "dm": dm, "dmP": None if dm is None else stats.t.sf(dm, n - 1),
    }


def forecasts():
    n = 60
    y = rng.standard_normal(n) * 0.03
    f = 0.2 * y + rng.standard_normal(n) * 0.01
    up, down = y > 0.005, y < -0.005
    cls = lambda x: np.where(x > 0.005, 1, np.where(x < -0.005, -1, 0))
    moved = up | down
    return {
        "actual": y.tolist(), "predicted": f.tolist(),
        "mse": np.mean((y - f) ** 2), "mae": np.mean(np.abs(y - f)), "rmse": np.sqrt(np.mean((y - f) ** 2)),
        "r2": 1 - np.sum((y - f) ** 2) / np.sum((y - y.mean()) ** 2),
        "directionAccuracy3": np.mean(cls(y) == cls(f)),
        "directionAccuracy2": np.mean((f > 0)[moved] == (y > 0)[moved]), "alwaysUp": np.mean((y > 0)[moved]),
        "ic": stats.pearsonr(f, y).statistic, "rankIc": stats.spearmanr(f, y).statistic,
        # Two months have no spread that means anything; classes.py has enough of them.
        "icir": None, "rankIcir": None,
    }


def bootstrap():
    n, block, resamples = 47, 6, 40
    per = -(-n // block)
    starts = rng.integers(0, n, (resamples, per))
    a, b = rng.standard_normal(n) ** 2, rng.standard_normal(n) ** 2
    index = np.stack([((s[:, None] + np.arange(block)) % n).ravel()[:n] for s in starts])
    skill = 1 - a[index].mean(1) / b[index].mean(1)
    return {
        "n": n, "block": block, "resamples": resamples, "starts": starts.ravel().tolist(), "a": a.tolist(), "b": b.tolist(),
        "skill": 1 - a.mean() / b.mean(), "low": np.percentile(skill, 2.5), "high": np.percentile(skill, 97.5),
    }


json.dump(
    {
        "generator": f"test/golden/statistics.py, python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}",
        "tTails": t_tails(),
        "comparisons": [comparison(240, 7, 3, 0.03), comparison(120, 1, 1, 0.0), comparison(200, 10, 2, -0.05)],
        "forecasts": forecasts(),
        "bootstrap": bootstrap(),
    },
    sys.stdout,
    default=float,
)
