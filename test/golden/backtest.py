"""Golden values of core/backtest: peers run the same rules over the bundled daily bars of two indices.

Run: python3 backtest.py SP500.csv.gz NASDAQ.csv.gz > backtest.json   (versions are written into the file)
Peers: vectorbt (fills, costs, shorts, several instruments, trades, equity), backtesting.py (stops and targets inside
bars), empyrical and quantstats (figures), statsmodels (Newey-West), scipy (deflated Sharpe ratio).
Every period, ddof, target and sign is given explicitly; DIFFERENCES says where a peer's definition is another one.
"""
import json
import sys
import warnings

# statistics.py beside this file is no module of the peers'.
sys.path.pop(0)
from importlib.metadata import version

import numpy as np
import pandas as pd
from scipy import stats

warnings.filterwarnings("ignore")

import empyrical
import quantstats
import statsmodels.api as sm
import vectorbt as vbt
from backtesting import Backtest, Strategy

N = 252
DIFFERENCES = {
    "empyrical.value_at_risk": "historical, given as a return: its sign is turned here",
    "empyrical.conditional_value_at_risk": "mean of the lowest floor(.05 (n - 1)) + 1 returns, equal to the mean of returns at or below the quantile where none ties with it; sign turned",
    "empyrical.calmar": "its CAGR counts 252 bars a year; ours counts calendar days, so ours is recomputed here",
    "quantstats.value_at_risk": "parametric normal under the name of VaR, SD with ddof 1; sign turned; compared with ours of that name",
    "quantstats.sortino": "downside over all bars, as ours",
    "quantstats.win_rate": "share of rising bars among those that moved: our barHitRate, not our winRate",
    "quantstats.profit_factor": "of bar returns; ours is of trades, and is compared with vectorbt's trades",
    "quantstats.cagr": "252 bars a year; ours counts calendar days",
    "vectorbt.trades": "its trades split at each cut; its positions are our trades",
    "backtesting.py": "whole units, spread at entries only: compared by unit, without spread",
}


def read(path):
    table = pd.read_csv(path)
    table["Date"] = pd.to_datetime(table["Date"])
    return table.set_index("Date")


def sma(close, window):
    return close.rolling(window).mean()


def crossed(close, fast=10, slow=30):
    """1 where the fast mean is above the slow one, else 0; NaN before both exist."""
    a, b = sma(close, fast), sma(close, slow)
    return (a > b).astype(float).where(b.notna())


def positions_of(portfolio):
    """Positions as our trades. vectorbt's own averages hold slippage but no fees, as ours do."""
    records = portfolio.positions.records.sort_values(["exit_idx", "col"], kind="stable")
    closed = records[records["status"] == 1]
    opened = records[records["status"] == 0]
    return [
        {
            "column": int(r.col),
            "side": "long" if r.direction == 0 else "short",
            "entry": int(r.entry_idx),
            "exit": int(r.exit_idx),
            "entryPrice": r.entry_price,
            "exitPrice": r.exit_price,
            "netPnl": r.pnl,
            "open": bool(r.status == 0),
        }
        for r in pd.concat([closed, opened]).itertuples()
    ]


def curve_of(portfolio):
    value = portfolio.value()
    return {"final": float(value.iloc[-1]), "every250": [float(x) for x in value.iloc[::250]]}


def all_in(table, fees, slippage):
    """SMA 10/30 with everything, decided at the close, filled at the next open."""
    want = crossed(table["Close"]).shift(1)
    entries, exits = want == 1, want == 0
    portfolio = vbt.Portfolio.from_signals(
        table["Close"], entries, exits, price=table["Open"], size=np.inf, fees=fees, slippage=slippage,
        init_cash=10_000, freq="1D", accumulate=False, direction="longonly",
    )
    return portfolio


def weights(table, seed, every):
    rng = np.random.default_rng(seed)
    levels = np.array([-0.5, -0.25, 0.0, 0.3, 0.7])
    out = np.full(len(table), np.nan)
    for t in range(0, len(table), every):
        out[t] = levels[rng.integers(len(levels))]
    return out


def targets(table, wanted, fees, slippage, **more):
    """Target weights, long and short, decided at the close of a bar and filled at the next open."""
    size = pd.DataFrame(wanted, index=table.index).shift(1)
    return vbt.Portfolio.from_orders(
        more.pop("close", table["Close"]), size=size if size.shape[1] > 1 else size[0],
        price=more.pop("price", table["Open"]), size_type="targetpercent", direction="both",
        fees=fees, slippage=slippage, init_cash=10_000, freq="1D", **more,
    )


class Crossing(Strategy):
    stop = 0.02
    profit = 0.05

    def init(self):
        self.want = crossed(pd.Series(self.data.Close)).to_numpy() if len(self.data.Close) else None
        self.every_open = np.asarray(self.data.df["Open"])

    def next(self):
        t = len(self.data) - 1
        if t + 1 >= len(self.every_open) or np.isnan(self.want[t]) or self.want[t] == self.want[t - 1]:
            return
        self.position.close()
        # The stop is a fraction of the fill, which the peer wants to know beforehand.
        fill = self.every_open[t + 1]
        if self.want[t] == 1:
            self.buy(size=1, sl=fill * (1 - self.stop), tp=fill * (1 + self.profit))
        else:
            self.sell(size=1, sl=fill * (1 + self.stop), tp=fill * (1 - self.profit))


class Trailing(Crossing):
    """The stop follows the best price of the bars since the entry; no profit target."""

    stop = 0.03
    profit = 0.9

    def next(self):
        t = len(self.data) - 1
        for trade in self.trades:
            since = slice(trade.entry_bar, t + 1)
            if trade.is_long:
                trade.sl = max(trade.sl, max(self.data.High[since]) * (1 - self.stop))
            else:
                trade.sl = min(trade.sl, min(self.data.Low[since]) * (1 + self.stop))
        super().next()


def stopped(table, strategy, commission=0.0):
    test = Backtest(table, strategy, cash=10_000_000, commission=commission, trade_on_close=False, finalize_trades=False)
    result = test.run()
    return [
        {
            "side": "long" if r.Size > 0 else "short",
            "entry": int(r.EntryBar),
            "exit": int(r.ExitBar),
            "entryPrice": float(r.EntryPrice),
            "exitPrice": float(r.ExitPrice),
            "grossPnl": float((r.ExitPrice - r.EntryPrice) * r.Size),
        }
        for r in result["_trades"].sort_values("ExitBar", kind="stable").itertuples()
    ]


def drawdown_lengths(value, initial):
    high, peak, longest, deepest, depth = initial, -1, 0, None, 0.0
    span = (0.0, 0)
    for t, x in enumerate(list(value) + [np.inf]):
        last = min(t, len(value) - 1)
        if x >= high:
            if depth < 0:
                longest = max(longest, last - peak)
                if depth < span[0]:
                    span = (depth, last - peak)
            high, peak, depth = x, t, 0.0
        else:
            depth = min(depth, x / high - 1)
    return {"longest": longest, "deepest": span[1]}


def figures(portfolio, benchmark, index):
    value = portfolio.value()
    r = value.pct_change().dropna()
    b = benchmark.value().pct_change().dropna()
    days = (index[-1] - index[0]).days
    growth = value.iloc[-1] / 10_000
    cagr = growth ** (365.25 / days) - 1
    positions = portfolio.positions.records
    pnl = positions[positions["status"] == 1]["pnl"]
    n = len(r)
    lags = int(np.floor(4 * (n / 100) ** (2 / 9)))
    ols = sm.OLS(r.to_numpy(), sm.add_constant(b.to_numpy())).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    z = stats.norm.ppf(0.95)
    ratio = r.mean() / r.std(ddof=1)
    skew, kurt = stats.skew(r), stats.kurtosis(r, fisher=False)
    spread = np.sqrt(1 - skew * ratio + (kurt - 1) / 4 * ratio**2)
    tries, sharpe_sd = 20, 0.01
    g = np.euler_gamma
    luck = sharpe_sd * ((1 - g) * stats.norm.ppf(1 - 1 / tries) + g * stats.norm.ppf(1 - 1 / (tries * np.e)))
    lengths = drawdown_lengths(value, 10_000)
    deepest = empyrical.max_drawdown(r)
    return {
        "byPeer": {
            "totalReturn": [float(empyrical.cum_returns_final(r)), float(quantstats.stats.comp(r))],
            "volatility": [
                float(empyrical.annual_volatility(r, annualization=N, alpha=2.0)),
                float(quantstats.stats.volatility(r, periods=N, annualize=True, prepare_returns=False)),
            ],
            "sharpeByBar": [
                float(empyrical.sharpe_ratio(r, risk_free=0, annualization=N)),
                float(quantstats.stats.sharpe(r, rf=0.0, periods=N, annualize=True)),
            ],
            "sortino": [
                float(empyrical.sortino_ratio(r, required_return=0, annualization=N)),
                float(quantstats.stats.sortino(r, rf=0, periods=N, annualize=True)),
            ],
            "maxDrawdown": [float(deepest), float(quantstats.stats.max_drawdown(r))],
            "valueAtRisk": [-float(empyrical.value_at_risk(r, cutoff=0.05))],
            "expectedShortfall": [-float(empyrical.conditional_value_at_risk(r, cutoff=0.05))],
            "normalValueAtRisk": [-float(quantstats.stats.value_at_risk(r, confidence=0.95, prepare_returns=False))],
            "barHitRate": [float(quantstats.stats.win_rate(r, compounded=False, prepare_returns=False))],
            "winRate": [float((pnl > 0).mean()), float(portfolio.positions.closed.win_rate())],
            "profitFactor": [float(portfolio.positions.closed.profit_factor())],
            "trades": [int(len(pnl))],
            "beta": [float(ols.params[1]), float(empyrical.beta(r, b))],
            "betaError": [float(ols.bse[1])],
            "alpha": [float(ols.params[0] * N)],
            "alphaError": [float(ols.bse[0] * N)],
        },
        "recomputed": {
            "annualReturn": float(cagr),
            "calmar": float(cagr / -deepest),
            "normalExpectedShortfall": float(r.std(ddof=1) * stats.norm.pdf(z) / 0.05 - r.mean()),
            "maxDrawdownBars": int(lengths["deepest"]),
            "longestDrawdownBars": int(lengths["longest"]),
            "timeInMarket": float((portfolio.assets() != 0).mean()),
            "deflatedSharpe": float(stats.norm.cdf(ratio * np.sqrt(n - 1) / spread)),
        },
        "deflatedOf20Tries": {
            "count": tries,
            "sharpeSd": sharpe_sd,
            "value": float(stats.norm.cdf((ratio - luck) * np.sqrt(n - 1) / spread)),
        },
    }


def main(paths):
    sp500, nasdaq = (read(path) for path in paths)
    crossing = all_in(sp500, fees=0.001, slippage=0.0005)
    holding = np.full(len(sp500), np.nan)
    holding[0] = 1
    hold = vbt.Portfolio.from_orders(
        sp500["Close"], size=pd.Series(np.where(np.arange(len(sp500)) == 1, np.inf, np.nan), index=sp500.index),
        price=sp500["Open"], fees=0.001, slippage=0.0005, init_cash=10_000, freq="1D",
    )
    wanted = weights(sp500, 11, 17)
    short = targets(sp500, wanted, fees=0.0005, slippage=0.0002)
    both_dates = sp500.index.intersection(nasdaq.index)
    pair = [sp500.loc[both_dates], nasdaq.loc[both_dates]]
    pair_wanted = [weights(pair[0], 12, 23) * 0.5, weights(pair[1], 13, 31) * 0.5]
    pool = targets(
        pair[0], np.column_stack(pair_wanted), fees=0.0005, slippage=0.0002,
        close=pd.concat([t["Close"] for t in pair], axis=1, keys=[0, 1]),
        price=pd.concat([t["Open"] for t in pair], axis=1, keys=[0, 1]),
        group_by=True, cash_sharing=True, call_seq="auto",
    )
    plain = lambda a: [None if np.isnan(x) else float(x) for x in a]
    names = ["vectorbt", "backtesting", "empyrical-reloaded", "quantstats", "statsmodels", "scipy", "numpy", "pandas"]
    json.dump(
        {
            "versions": {name: version(name) for name in names},
            "differences": DIFFERENCES,
            "allIn": {
                "feeBps": 10, "slippageBps": 5, **curve_of(crossing), "trades": positions_of(crossing),
                "figures": figures(crossing, hold, sp500.index),
            },
            "hold": {"feeBps": 10, "slippageBps": 5, **curve_of(hold)},
            "longShort": {
                "feeBps": 5, "slippageBps": 2, "targets": plain(wanted), **curve_of(short), "trades": positions_of(short),
            },
            "pair": {
                "feeBps": 5, "slippageBps": 2, "rows": len(both_dates), "targets": [plain(w) for w in pair_wanted],
                **curve_of(pool), "trades": positions_of(pool),
            },
            "stops": {"stopLoss": 0.02, "takeProfit": 0.05, "trades": stopped(sp500, Crossing)},
            "trailing": {"trailing": 0.03, "trades": stopped(sp500, Trailing)},
        },
        sys.stdout,
        separators=(",", ":"),
    )
    sys.stdout.write("\n")


main(sys.argv[1:])
