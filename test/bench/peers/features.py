"""Columns like those of the feature sets: python features.py FOLDER talib|pandas 150|46 REPEATS. One thread.

150 columns: windows 5, 10, 20, 50, 100, 200 of SMA, EMA, WMA, RSI, ATR, CCI, MFI, ROC, MOM, ADX, +DI, -DI, WILLR, SD, highest,
lowest, mean volume, Bollinger bands and stochastics; MACD by three settings; OBV, AD, true range; returns over six spans.
46 columns: what crypto-46 has (core/features/crypto-46.ts). pandas has the 150 only.
"""
import sys
from importlib.metadata import version

import numpy as np
from protocol import bars, milliseconds, serve

folder, library, columns, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
WINDOWS = (5, 10, 20, 50, 100, 200)
MACDS = ((12, 26, 9), (5, 35, 5), (8, 17, 9))
SPANS = (1, 2, 3, 5, 10, 20)
data = bars(folder)
o, h, l, c, v, value = (data[k] for k in ("open", "high", "low", "close", "volume", "value"))


def talib_150():
    import talib as t

    out = []
    for w in WINDOWS:
        out += [t.SMA(c, w), t.EMA(c, w), t.WMA(c, w), t.RSI(c, w), t.ATR(h, l, c, w), t.CCI(h, l, c, w)]
        out += [t.MFI(h, l, c, v, w), t.ROC(c, w), t.MOM(c, w), t.ADX(h, l, c, w)]
        out += [t.PLUS_DI(h, l, c, w), t.MINUS_DI(h, l, c, w), t.WILLR(h, l, c, w), t.STDDEV(c, w)]
        out += [t.MAX(h, w), t.MIN(l, w), t.SMA(v, w)]
        out += [*t.BBANDS(c, w, 2, 2, 0), *t.STOCH(h, l, c, w, 3, 0, 3, 0)]
    for fast, slow, signal in MACDS:
        out += [*t.MACD(c, fast, slow, signal)]
    return out + [t.OBV(c, v), t.AD(h, l, c, v), t.TRANGE(h, l, c)] + [t.ROCP(c, k) for k in SPANS]


def talib_46():
    import talib as t

    change = t.ROCP(c, 1)
    logs = np.log(c[1:] / c[:-1])
    upper, middle, lower = t.BBANDS(c, 20, 2, 2, 0)
    atr = t.ATR(h, l, c, 14)
    out = [o, h, l, c, v, value, change, logs, h / l, c / o, t.ROCP(v, 1), v / t.SMA(v, 20), t.RSI(c, 14)]
    out += [*t.MACD(c, 12, 26, 9), upper, middle, lower, (upper - lower) / middle, (c - lower) / (upper - lower)]
    out += [atr, atr / c]
    for w in (5, 10, 20, 50, 100):
        mean = t.SMA(c, w)
        out += [mean, t.EMA(c, w), c / mean]
    out += [t.STDDEV(logs, 5), t.STDDEV(logs, 20)]
    for k in (5, 10, 20):
        out += [t.MOM(c, k), t.ROCP(c, k)]
    return out


def spread(x, w):
    """Mean absolute deviation from the mean of each window, as CCI wants it."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w)
    out = np.full(len(x), np.nan)
    for i in range(0, len(windows), 4096):
        part = windows[i : i + 4096]
        out[i + w - 1 : i + w - 1 + len(part)] = np.abs(part - part.mean(1, keepdims=True)).mean(1)
    return out


def weighted(x, w):
    out = np.full(len(x), np.nan)
    out[w - 1 :] = np.convolve(x, np.arange(w, 0, -1) / (w * (w + 1) / 2), "valid")
    return out


def pandas_150():
    import pandas as pd

    H, L, C, V = (pd.Series(x) for x in (h, l, c, v))
    change, before, typical = C.diff(), C.shift(), (H + L + C) / 3
    up, down = change.clip(lower=0), -change.clip(upper=0)
    true_range = pd.concat([H - L, (H - before).abs(), (L - before).abs()], axis=1).max(axis=1)
    flow, rise = typical * V, typical.diff()
    inflow, outflow = flow.where(rise > 0, 0.0), flow.where(rise < 0, 0.0)
    higher, lower_ = H.diff(), -L.diff()
    plus = higher.where((higher > lower_) & (higher > 0), 0.0)
    minus = lower_.where((lower_ > higher) & (lower_ > 0), 0.0)
    wilder = lambda s, w: s.ewm(alpha=1 / w, adjust=False, min_periods=w).mean()
    out = []
    for w in WINDOWS:
        roll = C.rolling(w)
        mean, sd = roll.mean(), roll.std(ddof=0)
        top, bottom = H.rolling(w).max(), L.rolling(w).min()
        atr = wilder(true_range, w)
        p, m = 100 * wilder(plus, w) / atr, 100 * wilder(minus, w) / atr
        ins, outs = inflow.rolling(w).sum(), outflow.rolling(w).sum()
        k = (100 * (C - bottom) / (top - bottom)).rolling(3).mean()
        out += [mean, C.ewm(span=w, adjust=False, min_periods=w).mean(), pd.Series(weighted(c, w))]
        out += [100 - 100 / (1 + wilder(up, w) / wilder(down, w)), atr]
        out += [(typical - typical.rolling(w).mean()) / (0.015 * spread(typical.to_numpy(), w))]
        out += [100 * ins / (ins + outs), C.pct_change(w) * 100, C.diff(w), wilder(100 * (p - m).abs() / (p + m), w)]
        out += [p, m, -100 * (top - C) / (top - bottom), sd, top, bottom, V.rolling(w).mean()]
        out += [mean + 2 * sd, mean, mean - 2 * sd, k, k.rolling(3).mean()]
    for fast, slow, signal in MACDS:
        line = C.ewm(span=fast, adjust=False).mean() - C.ewm(span=slow, adjust=False).mean()
        mean = line.ewm(span=signal, adjust=False).mean()
        out += [line, mean, line - mean]
    out += [(np.sign(change).fillna(0) * V).cumsum(), ((2 * C - L - H) / (H - L) * V).cumsum(), true_range]
    return out + [C.pct_change(k) for k in SPANS]


work = {("talib", 150): talib_150, ("talib", 46): talib_46, ("pandas", 150): pandas_150}[library, columns]
made = len(work())
assert made == columns, f"{made} columns, not {columns}"
package = {"talib": "TA-Lib", "pandas": "pandas"}[library]
serve(f"{package} {version(package)}", lambda: milliseconds(work, repeats))
