"""Golden values of the feature set technical-152, from TA-Lib where it has the indicator.

    npm run golden    (or, by hand, with the packages of requirements.txt:)
    venv/bin/python test/golden/technical_152.py BARS.csv[.gz] FIRST_INDEX > test/golden/NAME.json

BARS has the columns date, open, high, low, close, volume (any case, dates as Y-m-d or m/d/Y), one row
a session without holes; FIRST_INDEX is `calendar.indexOf` of its first row. Each value is computed by
itself: a recursive indicator gets the bars from its anchor on and nothing older (docs/features.md).

Named differences from TA-Lib: flat windows give the neutral values of docs/features.md, not TA-Lib's 0;
CMO is by plain sums (TA-Lib smooths it as Wilder does); percentages are divided by 100.
"""
import json
import sys

import numpy as np
import pandas as pd
import talib

ANCHOR = 256
SAMPLES = 26
# Rows at which slow columns are not warm yet.
HEAD = (33, 43, 60, 121)

ema_memory = lambda n: 7 * (n + 1)
wilder_memory = lambda n: 14 * n
macd_memory = lambda slow, signal: ema_memory(slow) + 2 * signal


class Slice:
    """The bars start..t; every method gives the value at t."""

    def __init__(self, bars, start, t):
        self.o, self.h, self.l, self.c, self.v = (
            bars[k].to_numpy(float)[start : t + 1] for k in ("open", "high", "low", "close", "volume")
        )
        self.date = bars["date"].iloc[start : t + 1]
        self.lc = np.log(self.c)
        self.r = np.diff(self.lc)
        self.tp = (self.h + self.l + self.c) / 3
        self.tr = talib.TRANGE(self.h, self.l, self.c)


def over(a, b, neutral=0.0):
    return neutral if b == 0 else a / b


def last(x, n):
    assert len(x) >= n, "not warm"
    tail = np.asarray(x)[-n:]
    if np.isnan(tail).any():
        raise AssertionError("not warm")
    return tail


def sd(x, n, ddof=1):
    return np.std(last(x, n), ddof=ddof)


def corr(x, y, n):
    return np.corrcoef(last(x, n), last(y, n))[0, 1]


def position(x, low, high, neutral):
    return over(x - low, high - low, neutral)


def shadows(s):
    rng = s.h[-1] - s.l[-1]
    return {
        "upper_shadow": over(s.h[-1] - max(s.o[-1], s.c[-1]), rng),
        "lower_shadow": over(min(s.o[-1], s.c[-1]) - s.l[-1], rng),
        "close_location": over(2 * s.c[-1] - s.h[-1] - s.l[-1], rng),
        "body_ratio": over(abs(s.c[-1] - s.o[-1]), rng),
    }


def clv(s):
    rng = s.h - s.l
    return np.where(rng == 0, 0, (2 * s.c - s.h - s.l) / np.where(rng == 0, 1, rng))


def ols(s, n):
    y = last(s.lc, n)
    x = np.arange(n) - (n - 1) / 2
    slope, level = np.polyfit(x, y, 1)
    rest = y - (level + slope * x)
    total = ((y - y.mean()) ** 2).sum()
    return slope, over(total - (rest**2).sum(), total), over(rest[-1], np.sqrt((rest**2).sum() / (n - 2)))


def cmo(s, n):
    d = last(np.diff(s.c), n)
    return over(d.sum(), np.abs(d).sum())


def rogers_satchell(s, n):
    h, l, o, c = (np.log(last(x, n)) for x in (s.h, s.l, s.o, s.c))
    return ((h - c) * (h - o) + (l - c) * (l - o)).mean()


def yang_zhang(s, n):
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    night = np.log(s.o[1:] / s.c[:-1])
    day = np.log(s.c / s.o)
    return np.sqrt(sd(night, n) ** 2 + k * sd(day, n) ** 2 + (1 - k) * rogers_satchell(s, n))


def garman_klass(s, n):
    rng, body = np.log(last(s.h, n) / last(s.l, n)), np.log(last(s.c, n) / last(s.o, n))
    return np.sqrt((0.5 * rng**2 - (2 * np.log(2) - 1) * body**2).mean())


def vol_of_vol(s):
    v = np.array([np.std(s.r[i - 4 : i + 1], ddof=1) for i in range(len(s.r) - 20, len(s.r))])
    assert len(s.r) >= 24
    return over(np.std(v, ddof=1), v.mean())


def trix(s, n):
    x = s.lc
    for _ in range(3):
        x = talib.EMA(x[~np.isnan(x)], n)
    return x[-1] - x[-2]


def calendar(s):
    d = s.date.iloc[-1]
    return {
        "dow_sin": np.sin(2 * np.pi * d.day_of_week / 7),
        "dow_cos": np.cos(2 * np.pi * d.day_of_week / 7),
        "month_sin": np.sin(2 * np.pi * (d.month - 1) / 12),
        "month_cos": np.cos(2 * np.pi * (d.month - 1) / 12),
        "month_progress": (d.day - 1) / (d.days_in_month - 1),
        "turn_of_month": float(d.day <= 3 or d.day >= d.days_in_month - 2),
        "quarter_end_month": float(d.month % 3 == 0),
    }


def sma(s, n, lag=0):
    return last(talib.SMA(s.c, n), lag + 1)[0]


def windowed():
    """Columns that read a fixed number of bars: name -> function of a slice that is long enough."""
    f = {}
    for k in (1, 2, 3, 5, 7, 10, 14, 20, 30, 60, 90, 120):
        f[f"ret_{k}"] = lambda s, k=k: s.lc[-1] - last(s.lc, k + 1)[0]
    for k in range(1, 6):
        f[f"ret_1_lag_{k}"] = lambda s, k=k: last(s.r, k + 1)[0]
    f["gap"] = lambda s: np.log(s.o[-1] / s.c[-2])
    f["body"] = lambda s: np.log(s.c[-1] / s.o[-1])
    f["range"] = lambda s: np.log(s.h[-1] / s.l[-1])
    for name in ("upper_shadow", "lower_shadow", "close_location", "body_ratio"):
        f[name] = lambda s, name=name: shadows(s)[name]
    f["true_range"] = lambda s: s.tr[-1] / s.c[-1]
    f["close_location_5"] = lambda s: last(clv(s), 5).mean()
    for n in (5, 10, 20, 50, 100, 200):
        f[f"close_to_sma_{n}"] = lambda s, n=n: s.c[-1] / sma(s, n) - 1
    for a, b in ((5, 20), (10, 50), (20, 50), (20, 100), (50, 200), (100, 200)):
        f[f"sma_{a}_to_sma_{b}"] = lambda s, a=a, b=b: sma(s, a) / sma(s, b) - 1
    for n, k in ((10, 5), (20, 5), (50, 10)):
        f[f"sma_{n}_slope_{k}"] = lambda s, n=n, k=k: np.log(sma(s, n) / sma(s, n, k))
    for n in (5, 14):
        f[f"stoch_k_{n}"] = lambda s, n=n: talib.STOCHF(s.h, s.l, s.c, n, 3, 0)[0][-1] / 100
        f[f"stoch_d_{n}_3"] = lambda s, n=n: talib.STOCHF(s.h, s.l, s.c, n, 3, 0)[1][-1] / 100
    for n in (14, 20):
        f[f"cci_{n}"] = lambda s, n=n: talib.CCI(s.h, s.l, s.c, n)[-1] / 100
        f[f"cmo_{n}"] = lambda s, n=n: cmo(s, n)
    f["ultimate_7_14_28"] = lambda s: talib.ULTOSC(s.h, s.l, s.c, 7, 14, 28)[-1] / 100
    f["aroon_up_25"] = lambda s: talib.AROON(s.h, s.l, 25)[1][-1] / 100
    f["aroon_down_25"] = lambda s: talib.AROON(s.h, s.l, 25)[0][-1] / 100
    f["aroon_osc_14"] = lambda s: talib.AROONOSC(s.h, s.l, 14)[-1] / 100
    f["vortex_plus_14"] = lambda s: last(np.abs(s.h[1:] - s.l[:-1]), 14).sum() / last(s.tr, 14).sum()
    f["vortex_minus_14"] = lambda s: last(np.abs(s.l[1:] - s.h[:-1]), 14).sum() / last(s.tr, 14).sum()
    f["choppiness_14"] = lambda s: np.log10(
        last(s.tr, 14).sum() / (talib.MAX(s.h, 14)[-1] - talib.MIN(s.l, 14)[-1])
    ) / np.log10(14)
    for n in (10, 60):
        f[f"efficiency_{n}"] = lambda s, n=n: over(
            abs(s.c[-1] - last(s.c, n + 1)[0]), np.abs(last(np.diff(s.c), n)).sum()
        )
    for n in (10, 20, 50):
        f[f"bb_position_{n}"] = lambda s, n=n: (
            lambda b: position(s.c[-1], b[2][-1], b[0][-1], 0.5)
        )(talib.BBANDS(s.c, n, 2, 2, 0))
        f[f"bb_width_{n}"] = lambda s, n=n: (lambda b: (b[0][-1] - b[2][-1]) / b[1][-1])(
            talib.BBANDS(s.c, n, 2, 2, 0)
        )
    for n in (20, 55, 120, 200):
        f[f"donchian_position_{n}"] = lambda s, n=n: position(
            s.c[-1], talib.MIN(s.l, n)[-1], talib.MAX(s.h, n)[-1], 0.5
        )
    f["donchian_width_20"] = lambda s: np.log(talib.MAX(s.h, 20)[-1] / talib.MIN(s.l, 20)[-1])
    for n in (5, 10, 20, 30, 60, 120):
        f[f"volatility_{n}"] = lambda s, n=n: sd(s.r, n)
    for a, b in ((5, 20), (20, 60), (20, 120)):
        f[f"volatility_ratio_{a}_{b}"] = lambda s, a=a, b=b: over(sd(s.r, a), sd(s.r, b), 1.0)
    f["parkinson_20"] = lambda s: np.sqrt(
        (np.log(last(s.h, 20) / last(s.l, 20)) ** 2).mean() / (4 * np.log(2))
    )
    f["garman_klass_20"] = lambda s: garman_klass(s, 20)
    f["rogers_satchell_20"] = lambda s: np.sqrt(rogers_satchell(s, 20))
    f["yang_zhang_20"] = lambda s: yang_zhang(s, 20)
    f["downside_deviation_20"] = lambda s: np.sqrt((np.minimum(last(s.r, 20), 0) ** 2).mean())
    f["upside_deviation_20"] = lambda s: np.sqrt((np.maximum(last(s.r, 20), 0) ** 2).mean())
    f["vol_of_vol_20"] = vol_of_vol
    for n in (20, 60):
        f[f"skew_{n}"] = lambda s, n=n: pd.Series(last(s.r, n)).skew()
        f[f"autocorr_1_{n}"] = lambda s, n=n: corr(s.r[1:], s.r[:-1], n)
    f["kurtosis_60"] = lambda s: pd.Series(last(s.r, 60)).kurt()
    for n in (10, 20):
        f[f"up_share_{n}"] = lambda s, n=n: (last(s.r, n) > 0).mean()
    f["max_ret_20"] = lambda s: last(s.r, 20).max()
    f["min_ret_20"] = lambda s: last(s.r, 20).min()
    for n in (20, 60, 120, 200):
        f[f"drawdown_{n}"] = lambda s, n=n: s.lc[-1] - last(s.lc, n).max()
    for n in (60, 200):
        f[f"drawup_{n}"] = lambda s, n=n: s.lc[-1] - last(s.lc, n).min()
    f["bars_since_high_60"] = lambda s: np.argmax(last(s.c, 60)[::-1]) / 59
    f["bars_since_low_60"] = lambda s: np.argmin(last(s.c, 60)[::-1]) / 59
    for n in (10, 20, 60):
        f[f"trend_slope_{n}"] = lambda s, n=n: ols(s, n)[0]
    for n in (20, 60):
        f[f"trend_r2_{n}"] = lambda s, n=n: ols(s, n)[1]
    f["trend_residual_20"] = lambda s: ols(s, 20)[2]
    for n in (5, 20, 60):
        f[f"volume_to_sma_{n}"] = lambda s, n=n: np.log1p(over(s.v[-1], last(s.v, n).mean(), 1.0))
    f["volume_sma_5_to_20"] = lambda s: over(last(s.v, 5).mean(), last(s.v, 20).mean(), 1.0) - 1
    f["volume_cv_20"] = lambda s: over(sd(s.v, 20), last(s.v, 20).mean())
    f["volume_z_60"] = lambda s: over(s.v[-1] - last(s.v, 60).mean(), sd(s.v, 60))
    for n in (10, 20, 60):
        f[f"obv_flow_{n}"] = lambda s, n=n: over(
            (np.sign(last(np.diff(s.c), n)) * last(s.v, n)).sum(), last(s.v, n).sum()
        )
    for n in (20, 60):
        f[f"cmf_{n}"] = lambda s, n=n: over((last(clv(s), n) * last(s.v, n)).sum(), last(s.v, n).sum())
    f["mfi_14"] = lambda s: talib.MFI(s.h, s.l, s.c, s.v, 14)[-1] / 100
    f["force_13"] = lambda s: over((last(s.r, 13) * last(s.v, 13)).sum(), last(s.v, 13).sum())
    f["corr_absret_volume_20"] = lambda s: corr(np.abs(s.r), s.v, 20)
    f["corr_ret_dvolume_20"] = lambda s: corr(s.r, np.diff(np.log1p(s.v)), 20)
    f["close_to_vwap_20"] = lambda s: s.c[-1] * last(s.v, 20).sum() / (
        last(s.tp, 20) * last(s.v, 20)
    ).sum() - 1
    for name in ("dow_sin", "dow_cos", "month_sin", "month_cos"):
        f[name] = lambda s, name=name: calendar(s)[name]
    for name in ("month_progress", "turn_of_month", "quarter_end_month"):
        f[name] = lambda s, name=name: calendar(s)[name]
    f["days_since_bar"] = lambda s: np.log((s.date.iloc[-1] - s.date.iloc[-2]).days)
    return f


def recursive():
    """Columns that start at an anchor: name -> (memory, function of the slice from that anchor on)."""
    f = {}
    for n in (5, 12, 26):
        f[f"close_to_ema_{n}"] = (ema_memory(n), lambda s, n=n: s.c[-1] / talib.EMA(s.c, n)[-1] - 1)
    for a, b, k in ((12, 26, 9), (5, 13, 5)):
        m = macd_memory(b, k)
        f[f"macd_{a}_{b}"] = (m, lambda s, a=a, b=b, k=k: talib.MACD(s.c, a, b, k)[0][-1] / s.c[-1])
        f[f"macd_signal_{a}_{b}_{k}"] = (
            m,
            lambda s, a=a, b=b, k=k: talib.MACD(s.c, a, b, k)[1][-1] / s.c[-1],
        )
        f[f"macd_hist_{a}_{b}_{k}"] = (
            m,
            lambda s, a=a, b=b, k=k: talib.MACD(s.c, a, b, k)[2][-1] / s.c[-1],
        )
    for n in (2, 7, 14):
        f[f"rsi_{n}"] = (wilder_memory(n), lambda s, n=n: talib.RSI(s.c, n)[-1] / 100)
    f["trix_15"] = (11 * 16, lambda s: trix(s, 15))
    f["plus_di_14"] = (16 * 14, lambda s: talib.PLUS_DI(s.h, s.l, s.c, 14)[-1] / 100)
    f["minus_di_14"] = (16 * 14, lambda s: talib.MINUS_DI(s.h, s.l, s.c, 14)[-1] / 100)
    f["adx_14"] = (16 * 14, lambda s: talib.ADX(s.h, s.l, s.c, 14)[-1] / 100)
    for n in (7, 14):
        f[f"atr_ratio_{n}"] = (wilder_memory(n), lambda s, n=n: talib.ATR(s.h, s.l, s.c, n)[-1] / s.c[-1])
    return f


def read(path):
    bars = pd.read_csv(path)
    bars.columns = [c.lower() for c in bars.columns]
    bars["date"] = pd.to_datetime(bars["date"], format="%m/%d/%Y" if "/" in str(bars["date"][0]) else None)
    return bars


def warm(f, s):
    """The value, or None where the indicator has none yet."""
    try:
        value = f(s)
    except (AssertionError, IndexError):
        return None
    return None if np.isnan(value) else value


def values_at(bars, t, anchors):
    def anchored(row, memory):
        start = max((a for a in anchors if a <= row - memory), default=0)
        return Slice(bars, start, row)

    near = Slice(bars, max(0, t - 230), t)
    out = {name: warm(f, near) for name, f in windowed().items()}
    for name, (memory, f) in recursive().items():
        out[name] = warm(f, anchored(t, memory))
    # Two recursions, each with its own anchor; warm long before the first sampled row.
    ema20 = talib.EMA(anchored(t, ema_memory(20)).c, 20)[-1]
    wide = anchored(t, wilder_memory(10))
    out["keltner_position_20"] = (near.c[-1] - ema20) / (2 * talib.ATR(wide.h, wide.l, wide.c, 10)[-1])
    rsi = [talib.RSI(anchored(i, wilder_memory(14)).c, 14)[-1] for i in range(t - 13, t + 1)]
    out["stoch_rsi_14"] = position(rsi[-1], min(rsi), max(rsi), 0.5)
    return out


def main():
    bars = read(sys.argv[1])
    first_index = int(sys.argv[2])
    index = first_index + np.arange(len(bars))
    anchors = [t for t in range(1, len(bars)) if index[t] // ANCHOR != index[t - 1] // ANCHOR]
    rng = np.random.default_rng(7)
    rows = sorted({*HEAD, 200, 201, 255, len(bars) - 1, *rng.integers(201, len(bars), SAMPLES).tolist()})
    golden = {
        "generator": "test/golden/technical_152.py",
        "versions": {
            "TA-Lib": talib.__version__,
            "TA-Lib C": talib.__ta_version__.decode(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        "firstIndex": first_index,
        "firstDate": str(bars["date"].iloc[0].date()),
        "bars": len(bars),
        "rows": rows,
        "columns": {},
    }
    table = [values_at(bars, t, anchors) for t in rows]
    for name in table[0]:
        golden["columns"][name] = [
            None if row[name] is None else float(f"{row[name]:.15g}") for row in table
        ]
    print(json.dumps(golden, separators=(",", ":")).replace('],"', '],\n"'))


if __name__ == "__main__":
    main()
