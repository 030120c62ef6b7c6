"""The index predictor's network in PyTorch, without recurrent dropout, which its LSTM does not have.

torch_lstm.py train THREADS cpu|gpu BATCHES: milliseconds of a training batch
torch_lstm.py predict THREADS: one window, the faster of the module and its frozen trace
"""
import os
import sys

threads = int(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)

import torch
from protocol import milliseconds, serve
from torch import nn

RATE, BATCH, WINDOWS = 0.2, 32, 1_680
torch.set_num_threads(threads)
torch.manual_seed(7)
device = "cuda" if "gpu" in sys.argv else "cpu"


class Network(nn.Module):
    """Of x [steps, batch, features], which spares its LSTM a transposition."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LSTM(152, 50), nn.LSTM(50, 50)
        self.norm1, self.norm2 = nn.BatchNorm1d(50), nn.BatchNorm1d(50)
        self.shared, self.drop = nn.Linear(50, 25), nn.Dropout(RATE)
        branch = lambda: nn.Sequential(nn.Linear(25, 16), nn.ReLU(), nn.Dropout(RATE), nn.Linear(16, 1))
        self.branches = nn.ModuleList([branch() for _ in range(3)])

    def forward(self, x):
        x, _ = self.first(self.drop(x))
        x = self.norm1(x.reshape(-1, 50)).reshape(x.shape)
        x, _ = self.second(self.drop(x))
        x = self.drop(torch.relu(self.shared(self.norm2(x[-1]))))
        return [branch(x) for branch in self.branches]


def training(batches):
    network = Network().to(device)
    x = torch.rand(60, WINDOWS, 152, device=device)
    y = torch.rand(3, WINDOWS, 1, device=device)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    weights = (0.5, 0.3, 0.2)

    def epoch():
        order = torch.randperm(WINDOWS, device=device)
        for k in range(batches):
            at = order[(k * BATCH) % (WINDOWS - BATCH) :][:BATCH]
            optimiser.zero_grad()
            errors = zip(weights, network(x[:, at]), y)
            sum(w * ((out - wanted[at]) ** 2).mean() for w, out, wanted in errors).backward()
            optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    epoch()
    return lambda: milliseconds(epoch, 1) / batches


def answering():
    network, x = Network().eval(), torch.rand(60, 1, 152)
    with torch.inference_mode():
        frozen = torch.jit.freeze(torch.jit.trace(network, x, strict=False))
        ways = {"module": lambda: network(x), "frozen trace": lambda: frozen(x)}
        times = {}
        for name, way in ways.items():
            milliseconds(way, 50)
            times[name] = milliseconds(way, 200)
    best = min(times, key=times.get)

    def round_():
        with torch.inference_mode():
            return milliseconds(ways[best], 500)

    return best, round_


title = f"PyTorch {torch.__version__.split('+')[0]}"
if sys.argv[1] == "train":
    serve(f"{title}, {threads} threads", training(int(sys.argv[4])))
else:
    way, round_ = answering()
    serve(f"{title}, {way}", round_)
