"""Golden values of the feature sets that have levels, in both units, from TA-Lib where it has them.

    npm run golden    (or, by hand, with the packages of requirements.txt:)
    venv/bin/python test/golden/levelled_sets.py BARS.csv FIRST_INDEX > test/golden/NAME.json

BARS has the columns open, high, low, close, volume, value, one row a bar without holes; FIRST_INDEX is
`calendar.indexOf` of its first row. Each value is computed by itself: a recursive indicator gets the
bars from its anchor on and nothing older (docs/features.md).

Named differences from TA-Lib: where nothing moved the RSI is 50 and bb_position 0.5.
"""
import json
import sys

import numpy as np
import pandas as pd
import talib

from technical_152 import ANCHOR, ema_memory, last, macd_memory, over, position, sd, warm, wilder_memory

SAMPLES = 26
# Rows at which slow columns are not warm yet, and rows of the hourly bars that do not move or trade.
HEAD = (1, 13, 25, 33, 60, 98, 99, 200, 248, 249, 255, 256, 707, 905, 925, 931, 1100, 1101)
VOLUME_LEVEL_BARS = 250


class Slice:
    def __init__(self, bars, start, t):
        self.o, self.h, self.l, self.c, self.v, self.value = (
            bars[k].to_numpy(float)[start : t + 1] for k in ("open", "high", "low", "close", "volume", "value")
        )
        self.r = np.diff(np.log(self.c))


def rsi(s, n=14):
    moved = len(s.c) > n and np.diff(s.c).any()
    return talib.RSI(s.c, n)[-1] if moved or len(s.c) <= n else 50.0


def bands(s, n=20):
    last(s.c, n)
    return [band[-1] for band in talib.BBANDS(s.c, n, 2, 2, 0)]


def traded(x, n):
    return over(x[-1], last(x, n).mean(), 1.0)


def volume_change(s):
    before, now = last(s.v, 2)
    return 0.0 if before == 0 else min(10.0, max(-1.0, now / before - 1))


def simple_return(s, n):
    return s.c[-1] / last(s.c, n + 1)[0] - 1


def macd_columns(of):
    memory = macd_memory(26, 9)
    names = ("macd", "macd_signal", "macd_hist")
    # TA-Lib gives all three from the bar at which the signal is warm; the line is warm before.
    line = lambda s: last(talib.EMA(s.c[14:], 12), 1)[0] - last(talib.EMA(s.c, 26), 1)[0]
    f = {name: (memory, lambda s, i=i: of(s, talib.MACD(s.c, 12, 26, 9)[i][-1])) for i, name in enumerate(names)}
    f["macd"] = (memory, lambda s: of(s, line(s)))
    return f


def bollinger_columns(of):
    f = {
        f"bb_{name}": (None, lambda s, i=i: of(s, bands(s)[i]))
        for i, name in enumerate(("upper", "middle", "lower"))
    }
    f["bb_width"] = (None, lambda s: (lambda b: (b[0] - b[2]) / b[1])(bands(s)))
    f["bb_position"] = (None, lambda s: (lambda b: position(s.c[-1], b[2], b[0], 0.5))(bands(s)))
    return f


def crypto_46(levels):
    """name -> (memory or None, value at the slice's last bar), in the order of the set."""
    raw = levels == "raw"
    of = (lambda s, x: x) if raw else (lambda s, x: x / s.c[-1])
    f = {}
    for name, key in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c")):
        f[name] = (None, lambda s, key=key: of(s, getattr(s, key)[-1]))
    for name, key in (("volume", "v"), ("value", "value")):
        f[name] = (
            None,
            lambda s, key=key: getattr(s, key)[-1] if raw else traded(getattr(s, key), VOLUME_LEVEL_BARS),
        )
    f["returns"] = (None, lambda s: simple_return(s, 1))
    f["log_returns"] = (None, lambda s: last(s.r, 1)[0])
    f["high_low_ratio"] = (None, lambda s: s.h[-1] / s.l[-1])
    f["close_open_ratio"] = (None, lambda s: s.c[-1] / s.o[-1])
    f["volume_change"] = (None, volume_change)
    f["volume_ma_ratio"] = (None, lambda s: traded(s.v, 20))
    f["rsi"] = (wilder_memory(14), rsi)
    f |= macd_columns(of)
    f |= bollinger_columns(of)
    atr = lambda s: talib.ATR(s.h, s.l, s.c, 14)[-1]
    f["atr"] = (wilder_memory(14), lambda s: of(s, atr(s)))
    f["atr_ratio"] = (wilder_memory(14), lambda s: atr(s) / s.c[-1])
    for n in (5, 10, 20, 50, 100):
        f[f"sma_{n}"] = (None, lambda s, n=n: of(s, talib.SMA(s.c, n)[-1]))
        f[f"ema_{n}"] = (ema_memory(n), lambda s, n=n: of(s, talib.EMA(s.c, n)[-1]))
        f[f"price_to_sma_{n}"] = (None, lambda s, n=n: s.c[-1] / talib.SMA(s.c, n)[-1])
    for n in (5, 20):
        f[f"volatility_{n}"] = (None, lambda s, n=n: sd(s.r, n))
    for n in (5, 10, 20):
        f[f"momentum_{n}"] = (None, lambda s, n=n: of(s, s.c[-1] - last(s.c, n + 1)[0]))
        f[f"roc_{n}"] = (None, lambda s, n=n: simple_return(s, n))
    return f


def daily_22(levels):
    raw = levels == "raw"
    of = (lambda s, x: x) if raw else (lambda s, x: x / s.c[-1])
    signed = lambda s, n: last(np.sign(np.diff(s.c)), n) * last(s.v, n)
    f = {"rsi": (wilder_memory(14), rsi)} | macd_columns(of) | bollinger_columns(of)
    for n in (5, 10, 20, 50):
        f[f"sma_{n}"] = (None, lambda s, n=n: of(s, talib.SMA(s.c, n)[-1]))
    for n in (12, 26):
        f[f"ema_{n}"] = (ema_memory(n), lambda s, n=n: of(s, talib.EMA(s.c, n)[-1]))
    f["volume_ratio"] = (None, lambda s: traded(s.v, 20))
    mean = lambda s, n: last(s.v, n).mean()
    f["volume_sma"] = (None, lambda s: mean(s, 20) if raw else over(mean(s, 20), mean(s, VOLUME_LEVEL_BARS), 1.0))
    # What TA-Lib's running sum gained in 250 bars, or the share of 50 bars' volume that it gained in them.
    obv = lambda s, n: talib.OBV(s.c, s.v)[-1] - last(talib.OBV(s.c, s.v), n + 1)[0]
    f["obv"] = (None, lambda s: obv(s, VOLUME_LEVEL_BARS) if raw else over(signed(s, 50).sum(), last(s.v, 50).sum()))
    for k in (1, 5, 20):
        f[f"price_change_{k}d"] = (None, lambda s, k=k: simple_return(s, k))
    f["high_low_range"] = (None, lambda s: (s.h[-1] - s.l[-1]) / s.c[-1])
    return f


SETS = {"crypto-46": crypto_46, "daily-22": daily_22}


def main():
    bars = pd.read_csv(sys.argv[1], float_precision="round_trip")
    first_index = int(sys.argv[2])
    index = first_index + np.arange(len(bars))
    anchors = [t for t in range(1, len(bars)) if index[t] // ANCHOR != index[t - 1] // ANCHOR]
    rng = np.random.default_rng(7)
    rows = sorted({*HEAD, len(bars) - 1, *rng.integers(260, len(bars), SAMPLES).tolist()})

    def value(memory, f, t):
        if memory is None:
            return warm(f, Slice(bars, max(0, t - 260), t))
        return warm(f, Slice(bars, max((a for a in anchors if a <= t - memory), default=0), t))

    golden = {
        "generator": "test/golden/levelled_sets.py",
        "versions": {
            "TA-Lib": talib.__version__,
            "TA-Lib C": talib.__ta_version__.decode(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        "firstIndex": first_index,
        "bars": len(bars),
        "rows": rows,
        "sets": {},
    }
    for name, columns in SETS.items():
        for levels in ("relative", "raw"):
            table = {}
            for column, (memory, f) in columns(levels).items():
                found = [value(memory, f, t) for t in rows]
                table[column] = [None if x is None else float(f"{x:.15g}") for x in found]
            golden["sets"][f"{name}-{levels}"] = table
    print(json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"'))


main()
