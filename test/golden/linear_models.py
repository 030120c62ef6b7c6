"""Golden values of core/models: numpy and scikit-learn compute what the TypeScript must compute.

Run: python3 linear_models.py > linear_models.json   (needs numpy and scikit-learn; see requirements.txt)
"""
import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(20260203)
warnings.filterwarnings("ignore")


def least_squares(rows, columns, targets, repeat):
    x = rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-2, 3, columns)
    if repeat:
        x[:, 2] = x[:, 0] - 2 * x[:, 1]
        x[:, 3] = 0
    y = rng.standard_normal((rows, targets))
    b, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    return {"x": x.tolist(), "y": y.tolist(), "coefficients": b.tolist(), "rank": int(rank)}


def logistic(rows, columns, classes):
    x = rng.standard_normal((rows, columns))
    x -= x.mean(axis=0)
    scores = x @ rng.standard_normal((columns, classes)) + rng.gumbel(size=(rows, classes)) + np.arange(classes) / 2
    y = scores.argmax(axis=1)
    fits = []
    for penalty in (0.01, 1, 100):
        model = LogisticRegression(C=1 / penalty, solver="newton-cg", tol=1e-14, max_iter=10_000).fit(x, y)
        fits.append({"penalty": penalty, "coefficients": model.coef_.tolist(), "intercepts": model.intercept_.tolist()})
    return {"x": x.tolist(), "y": y.tolist(), "fits": fits}


json.dump(
    {
        "generator": {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "leastSquares": [least_squares(40, 5, 2, False), least_squares(40, 6, 1, True), least_squares(4, 7, 1, False)],
        "logistic": [logistic(150, 3, 3), logistic(200, 4, 4)],
    },
    sys.stdout,
    indent=1,
)
sys.stdout.write("\n")
