"""Golden values of core/metrics/sequential.ts and e-value.ts: numpy computes what the TypeScript must compute.

Run: python3 sequential.py > sequential.json   (needs numpy; its version is written into the file)
"""
import json
import sys

import numpy as np

rng = np.random.default_rng(20260202)


def radius(k, alpha, halfway):
    r2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1) / halfway
    return np.sqrt(2 * (k * r2 + 1) / (k**2 * r2) * np.log(1 + np.sqrt(k * r2 + 1) / (2 * alpha)))


def sequence(d, h, planned, alpha, harm):
    size = max(3 * h, 5)
    blocks = d[: len(d) // size * size].reshape(-1, size).mean(1)
    k = np.arange(1, len(blocks) + 1)
    mean = np.cumsum(blocks) / k
    sd = np.sqrt(np.cumsum(blocks**2) / k - mean**2)
    halfway = planned / size / 2
    lower, upper = mean - sd * radius(k, alpha, halfway), mean + sd * radius(k, harm, halfway)
    decided = np.flatnonzero(((lower > 0) | (upper < 0)) & (k >= 20))
    at = decided[0] if len(decided) else len(blocks) - 1
    return {
        "decision": "open" if not len(decided) else "better" if lower[at] > 0 else "worse",
        "blocks": int(at + 1), "mean": mean[at], "lower": lower[at], "upper": upper[at],
    }


def value(d, offline, h, alpha, harm):
    of = lambda x: x[: len(x) // h * h].reshape(-1, h).mean(1)
    scale = np.quantile(np.abs(of(offline)), 0.98)
    x = np.clip(of(d) / scale, -1, 1)
    streams = 1 if h == 1 else 2

    def wealth(x):
        paths = []
        for s in range(streams):
            mine = np.where(np.arange(len(x)) % streams == s, x, 0)
            paths.append(np.mean([np.cumprod(1 + 2.0**-i * mine) for i in range(1, 9)], axis=0))
        return np.mean(paths, axis=0)

    gain, loss = wealth(x), wealth(-x)
    allowed = (np.arange(len(x)) + 1) * h >= 20 * h
    decided = np.flatnonzero(((gain >= 1 / alpha) | (loss >= 1 / harm)) & allowed)
    at = decided[0] if len(decided) else len(x) - 1
    return {
        "decision": "open" if not len(decided) else "better" if gain[at] >= 1 / alpha else "worse",
        "blocks": int(at + 1), "scale": scale, "wealth": gain[at], "wealthHarm": loss[at],
    }


def case(n, h, shift, alpha, harm):
    d = np.round(rng.standard_t(5, n + 200) + shift, 4)
    offline, trial = d[:200], d[200:]
    return {
        "h": h, "planned": n, "alpha": alpha, "alphaHarm": harm, "offline": offline.tolist(), "trial": trial.tolist(),
        "sequence": sequence(trial, h, n, alpha, harm), "value": value(trial, offline, h, alpha, harm),
    }


json.dump(
    {
        "generator": f"test/golden/sequential.py, python {sys.version.split()[0]}, numpy {np.__version__}",
        "radii": [
            {"k": k, "alpha": a, "halfway": w, "radius": radius(k, a, w)}
            for k in (20, 57, 1600) for a in (0.05, 0.05 * 6 / np.pi**2 / 9, 0.3) for w in (11, 200)
        ],
        "cases": [
            case(403, 1, 0.0, 0.05, 0.05), case(403, 1, 0.5, 0.03, 0.05), case(403, 1, -0.5, 0.05, 0.05),
            case(601, 3, 0.0, 0.05, 0.1), case(601, 3, 0.6, 0.05, 0.05), case(601, 3, -0.6, 0.01, 0.05),
        ],
    },
    sys.stdout,
    default=float,
)
