"""The same crossover by other engines: backtest.py FOLDER vectorbt|backtesting FAST SLOW FEE STOP REPEATS."""
import sys
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from protocol import bars, milliseconds, serve

warnings.filterwarnings("ignore")
folder, library = sys.argv[1], sys.argv[2]
fast, slow, repeats = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[7])
fee, stop = float(sys.argv[5]), float(sys.argv[6])
data = bars(folder)
index = pd.date_range("1970-01-01", periods=len(data["close"]), freq="h")
table = pd.DataFrame({k.capitalize(): data[k] for k in ("open", "high", "low", "close", "volume")}, index=index)


def by_vectorbt():
    import vectorbt as vbt

    close = table["Close"]
    a, b = vbt.MA.run(close, fast), vbt.MA.run(close, slow)
    # Decided at a close, filled at the next open.
    entries = a.ma_crossed_above(b).shift(1, fill_value=False)
    exits = a.ma_crossed_below(b).shift(1, fill_value=False)
    prices = {"open": table["Open"], "high": table["High"], "low": table["Low"], "price": table["Open"]}
    done = vbt.Portfolio.from_signals(
        close, entries, exits, **prices, init_cash=1e4, fees=fee, sl_stop=stop, freq="h"
    )
    return done.stats()


def by_event():
    from backtesting import Backtest, Strategy

    mean = lambda x, n: pd.Series(x).rolling(n).mean()

    class Cross(Strategy):
        def init(self):
            self.a = self.I(mean, self.data.Close, fast)
            self.b = self.I(mean, self.data.Close, slow)

        def next(self):
            long = self.a[-1] > self.b[-1]
            if long and not self.was:
                self.buy(sl=self.data.Close[-1] * (1 - stop))
            elif not long and self.position:
                self.position.close()
            self.was = long

        was = False

    return Backtest(table, Cross, cash=1e6, commission=fee).run()


work = {"vectorbt": by_vectorbt, "backtesting": by_event}[library]
# Compiles what is compiled.
if library == "vectorbt":
    work()
serve(f"{library} {version(library)}", lambda: milliseconds(work, repeats))
