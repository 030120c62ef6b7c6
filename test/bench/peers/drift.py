"""Evidently's default report on the same columns, its second half against its first: drift.py FOLDER COLUMNS."""
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from protocol import milliseconds, serve

warnings.filterwarnings("ignore")
from evidently import Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402

folder, columns = Path(sys.argv[1]), int(sys.argv[2])
values = np.fromfile(folder / "columns.f64").reshape(-1, columns)
half = len(values) // 2
table = pd.DataFrame(values, columns=[f"f{i}" for i in range(columns)])
reference = table[:half].reset_index(drop=True)
current = table[half:].reset_index(drop=True)


def report():
    return Report([DataDriftPreset()]).run(current, reference).json()


report()
serve(f"evidently {version('evidently')}", lambda: milliseconds(report, 1))
