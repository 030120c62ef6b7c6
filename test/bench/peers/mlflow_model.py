"""What MLflow's model server loads: windows by symbol."""
import os
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime as ort


class Forecasts(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        folder = Path(os.environ["SERVED"])
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        shape = (1, *self.session.get_inputs()[0].shape[1:])
        self.windows = {os.environ["SYMBOL"]: np.fromfile(folder / "window.f64").reshape(shape)}

    def predict(self, context, model_input, params=None):
        rows = [self.session.run(None, {"x": self.windows[str(k)]})[0] for k in np.asarray(model_input).ravel()]
        return [{str(k): float(value) for k, value in enumerate(y[0])} for y in rows]


mlflow.models.set_model(Forecasts())
