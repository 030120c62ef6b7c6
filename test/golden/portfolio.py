"""Golden values of core/strategies/portfolio: the shrunk covariance of scikit-learn, and weights of scipy's SLSQP.

Run: python3 portfolio.py > portfolio.json   (needs scikit-learn, scipy; versions are written into the file)
"""
import json
import sys

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from sklearn.covariance import ledoit_wolf

rng = np.random.default_rng(20261129)


def returns(rows, columns, factors):
    common = rng.standard_normal((rows, factors)) @ rng.standard_normal((factors, columns))
    own = rng.standard_normal((rows, columns)) * rng.uniform(0.3, 2.0, columns)
    return np.round(0.01 * (0.7 * common + own) + rng.uniform(-0.001, 0.003, columns), 6)


def solve(cov, mean, upper, total, equal):
    n = len(cov)
    scale = 1 / np.trace(cov)
    sign = [{"type": "eq" if equal else "ineq", "fun": lambda w: total - w.sum()}]
    found = minimize(
        lambda w: scale * (0.5 * w @ cov @ w - mean @ w),
        np.full(n, total / n),
        jac=lambda w: scale * (cov @ w - mean),
        bounds=[(0, upper)] * n,
        constraints=sign,
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-16},
    )
    assert found.success or found.status == 8, found.message
    return found.x


cases = []
for rows, columns, factors, upper, total in [
    (60, 2, 1, 1.0, 1.0),
    (60, 5, 1, 1.0, 1.0),
    (120, 5, 2, 0.3, 1.0),
    (250, 12, 3, 0.25, 0.8),
    (40, 30, 2, 0.2, 1.0),
]:
    x = returns(rows, columns, factors)
    cov, shrinkage = ledoit_wolf(x)
    mean = x.mean(0)
    variance = solve(cov, 0 * mean, upper, min(total, columns * upper), True)
    kelly = solve(cov, 0.5 * mean, upper, total, False)
    cases.append(
        {
            "columns": x.T.tolist(),
            "maxWeight": upper,
            "maxTotal": total,
            "shrinkage": shrinkage,
            "covariance": cov.ravel().tolist(),
            "minimumVariance": variance.tolist(),
            "halfKelly": kelly.tolist(),
        }
    )
json.dump(
    {"made": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}", "cases": cases},
    sys.stdout,
)
sys.stdout.write("\n")
