"""Golden values of the model family transformer: numpy, in double, computes what the network must compute.

Everything is drawn here (numpy's PCG64) and written out: weights, a window, dropout masks, outputs. The gradient is
checked elsewhere (finite differences); this file knows nothing of TensorFlow or ONNX.
Run: python3 transformer.py > transformer.json   (needs numpy; its version is written into the file)
"""
import json
import sys

import numpy as np

T, F, D, H, FF, OUT, LAYERS, EPSILON = 5, 3, 6, 2, 8, 4, 2, 1e-3


def draw(rng, *shape, sd=0.5):
    # Rounded, so that the same numbers stand in the file and fit a float32.
    return np.round(rng.normal(0, sd, shape) * 1024) / 1024


def norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)


def sinusoids():
    t, i = np.arange(T)[:, None], np.arange(D)[None, :]
    angle = t / 10000 ** ((i - i % 2) / D)
    return np.where(i % 2 == 0, np.sin(angle), np.cos(angle))


def weights(rng, positions):
    w = {"embedding": (draw(rng, F, D), draw(rng, D, sd=0.1))}
    w["positions"] = draw(rng, T, D) if positions == "learned" else sinusoids()
    for k in range(LAYERS):
        w[f"attention{k}"] = (draw(rng, D, 3 * D), draw(rng, 3 * D, sd=0.1))
        w[f"joined{k}"] = (draw(rng, D, D), draw(rng, D, sd=0.1))
        w[f"wide{k}"] = (draw(rng, D, FF), draw(rng, FF, sd=0.1))
        w[f"narrow{k}"] = (draw(rng, FF, D), draw(rng, D, sd=0.1))
    w["output"] = (draw(rng, D, OUT), draw(rng, OUT, sd=0.1))
    return w


def forward(w, x, causal, pooling, masks):
    linear = lambda h, name: h @ w[name][0] + w[name][1]
    h = (linear(x, "embedding") + w["positions"]) * masks[0]
    for k in range(LAYERS):
        q, keys, values = np.split(linear(norm(h), f"attention{k}"), 3, axis=-1)
        mixed = np.empty_like(h)
        for at in range(H):
            part = slice(at * D // H, (at + 1) * D // H)
            for t in range(T):
                seen = t + 1 if causal else T
                scores = keys[:seen, part] @ q[t, part] / np.sqrt(D / H)
                shares = np.exp(scores - scores.max())
                mixed[t, part] = shares / shares.sum() @ values[:seen, part]
        h = h + linear(mixed, f"joined{k}") * masks[2 * k + 1]
        h = h + linear(np.maximum(linear(norm(h), f"wide{k}"), 0), f"narrow{k}") * masks[2 * k + 2]
    return linear(norm(h[-1] if pooling == "last" else h.mean(0)), "output")


def case(seed, attention, positions, pooling):
    rng = np.random.default_rng(seed)
    w = weights(rng, positions)
    x = draw(rng, T, F, sd=1)
    noise = np.round(rng.random((1 + 2 * LAYERS) * D) * 1024) / 1024
    masks = (noise.reshape(-1, D) >= 0.25) / 0.75
    run = lambda m: forward(w, x, attention == "causal", pooling, m).tolist()
    flat = {
        name: {"kernel": value[0].ravel().tolist(), "bias": value[1].tolist()}
        for name, value in w.items() if name != "positions"
    }
    return {
        "attention": attention, "positions": positions, "pooling": pooling,
        "weights": {**flat, "positions": w["positions"].ravel().tolist()},
        "x": x.ravel().tolist(), "noise": noise.tolist(),
        "outputs": run(np.ones_like(masks)), "dropped": run(masks),
    }


json.dump({
    "numpy": np.__version__,
    "shape": {"lookback": T, "inputs": F, "dModel": D, "heads": H, "feedForward": FF, "outputs": OUT,
              "layers": LAYERS, "dropout": 0.25},
    "cases": [
        case(1, "full", "sinusoidal", "last"),
        case(2, "causal", "learned", "last"),
        case(3, "full", "learned", "mean"),
        case(4, "causal", "sinusoidal", "mean"),
    ],
}, sys.stdout, separators=(",", ":"))
