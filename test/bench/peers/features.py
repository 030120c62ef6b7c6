"""Columns like those of the feature sets: python features.py FOLDER talib|pandas|polars 150|46 REPEATS [ms|us]. polars takes all cores.

150 columns: windows 5, 10, 20, 50, 100, 200 of SMA, EMA, WMA, RSI, ATR, CCI, MFI, ROC, MOM, ADX, +DI, -DI, WILLR, SD, highest,
lowest, mean volume, Bollinger bands and stochastics; MACD by three settings; OBV, AD, true range; returns over six spans.
46 columns: what crypto-46 has (core/features/crypto-46.ts). pandas and polars have the 150 only.
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


def polars_150():
    """One lazy query of all columns: polars computes what they share once, and the rest side by side."""
    C, H, L, V = (pl.col(k) for k in ("c", "h", "l", "v"))
    wilder = lambda e, w: e.ewm_mean(alpha=1 / w, adjust=False, min_samples=w)
    ema = lambda e, n, least=1: e.ewm_mean(span=n, adjust=False, min_samples=least)
    change, before, typical = C.diff(), C.shift(1), (H + L + C) / 3
    up, down = change.clip(lower_bound=0), -change.clip(upper_bound=0)
    true_range = pl.max_horizontal(H - L, (H - before).abs(), (L - before).abs())
    flow, rise = typical * V, typical.diff()
    inflow = pl.when(rise > 0).then(flow).otherwise(0.0)
    outflow = pl.when(rise < 0).then(flow).otherwise(0.0)
    higher, lower_ = H.diff(), -L.diff()
    plus = pl.when((higher > lower_) & (higher > 0)).then(higher).otherwise(0.0)
    minus = pl.when((lower_ > higher) & (lower_ > 0)).then(lower_).otherwise(0.0)
    tp = (h + l + c) / 3
    spreads = {f"spread{w}": spread(tp, w) for w in WINDOWS}
    weights = {f"weighted{w}": weighted(c, w) for w in WINDOWS}
    frame = pl.DataFrame({"o": o, "h": h, "l": l, "c": c, "v": v, **spreads, **weights})
    out = []
    for w in WINDOWS:
        mean, sd = C.rolling_mean(w), C.rolling_std(w, ddof=0)
        top, bottom = H.rolling_max(w), L.rolling_min(w)
        atr = wilder(true_range, w)
        p, m = 100 * wilder(plus, w) / atr, 100 * wilder(minus, w) / atr
        ins, outs = inflow.rolling_sum(w), outflow.rolling_sum(w)
        k = (100 * (C - bottom) / (top - bottom)).rolling_mean(3)
        out += [mean, ema(C, w, w), pl.col(f"weighted{w}")]
        out += [100 - 100 / (1 + wilder(up, w) / wilder(down, w)), atr]
        out += [(typical - typical.rolling_mean(w)) / (0.015 * pl.col(f"spread{w}"))]
        out += [100 * ins / (ins + outs), C.pct_change(w) * 100, C.diff(w), wilder(100 * (p - m).abs() / (p + m), w)]
        out += [p, m, -100 * (top - C) / (top - bottom), sd, top, bottom, V.rolling_mean(w)]
        out += [mean + 2 * sd, mean, mean - 2 * sd, k, k.rolling_mean(3)]
    for fast, slow, signal in MACDS:
        line = ema(C, fast) - ema(C, slow)
        mean = ema(line, signal)
        out += [line, mean, line - mean]
    out += [(change.sign().fill_null(0) * V).cum_sum(), ((2 * C - L - H) / (H - L) * V).cum_sum(), true_range]
    out += [C.pct_change(k) for k in SPANS]
    return frame.lazy().select(e.alias(str(i)) for i, e in enumerate(out)).collect().get_columns()


if library == "polars":
    import polars as pl

work = {
    ("talib", 150): talib_150,
    ("talib", 46): talib_46,
    ("pandas", 150): pandas_150,
    ("polars", 150): polars_150,
}[library, columns]
made = len(work())
assert made == columns, f"{made} columns, not {columns}"
package = {"talib": "TA-Lib", "pandas": "pandas", "polars": "polars"}[library]
scale = {"ms": 1, "us": 1000}[sys.argv[5] if len(sys.argv) > 5 else "ms"]
serve(f"{package} {version(package)}", lambda: scale * milliseconds(work, repeats))
