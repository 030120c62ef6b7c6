"""The graph behind BentoML, in the folder that SERVED names: window by symbol."""
import os
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime as ort


@bentoml.service(workers=1, traffic={"timeout": 30})
class Forecasts:
    def __init__(self):
        folder = Path(os.environ["SERVED"])
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        shape = (1, *self.session.get_inputs()[0].shape[1:])
        self.windows = {os.environ["SYMBOL"]: np.fromfile(folder / "window.f64").reshape(shape)}

    @bentoml.api
    def symbol(self, symbol: str) -> dict:
        y = self.session.run(None, {"x": self.windows[symbol]})[0]
        return {str(k): float(value) for k, value in enumerate(y[0])}
