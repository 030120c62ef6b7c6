"""The graph over windows that are ready, one a run: onnx_loop.py FOLDER LOOKBACK COLUMNS WINDOWS."""
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from protocol import serve

folder = Path(sys.argv[1])
lookback, columns, windows = map(int, sys.argv[2:5])
rows = np.fromfile(folder / "features.f64").reshape(-1, columns)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
first = len(rows) - lookback - windows + 1


def per_second():
    begin = time.perf_counter()
    for k in range(first, first + windows):
        session.run(None, {"x": rows[k : k + lookback][None]})
    return windows / (time.perf_counter() - begin)


serve("plain onnxruntime loop", per_second)
