"""The graph behind FastAPI, in the folder that SERVED names: window by symbol, window in the body, Monte-Carlo samples."""
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI
from pydantic import BaseModel

folder = Path(os.environ["SERVED"])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session, sampling = (
    ort.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
    for name in ("model.onnx", "model-mc.onnx")
)
shape = (1, *session.get_inputs()[0].shape[1:])
noise_shape = (100, sampling.get_inputs()[1].shape[1])
windows = {os.environ["SYMBOL"]: np.fromfile(folder / "window.f64").reshape(shape)}
random = np.random.default_rng(1)
app = FastAPI()


class Symbol(BaseModel):
    symbol: str


class Window(BaseModel):
    x: list[list[float]]


def forecast(x):
    y = session.run(None, {"x": x})[0]
    return {str(k): float(value) for k, value in enumerate(y[0])}


@app.get("/ready")
async def ready():
    return {}


@app.post("/symbol")
async def by_symbol(asked: Symbol):
    return forecast(windows[asked.symbol])


@app.post("/window")
async def by_window(asked: Window):
    return forecast(np.asarray(asked.x, dtype=np.float64).reshape(shape))


@app.post("/samples")
def samples(asked: Symbol):
    x = windows[asked.symbol]
    y = sampling.run(None, {"x": x, "noise": random.random(noise_shape, dtype=np.float32)})[0]
    mean, deviation = y.mean(axis=0), y.std(axis=0)
    return {**forecast(x), "mean": mean.tolist(), "deviation": deviation.tolist()}
