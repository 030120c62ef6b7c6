"""
Four trainings of the index predictor (60 x 152, LSTM 50 + 50, dropout and recurrent dropout 0.2, three horizons) by Keras.
argv: training windows, validation windows, epochs. At the start a third of the epochs is tried in four ways, two processes of one core
each and one process of all cores, as a graph and compiled by XLA, and the fastest is kept. Processes are started and libraries loaded before a round.
"""
import multiprocessing
import os
import sys
import time
from importlib.metadata import version

import numpy as np

from protocol import serve

LOOKBACK, FEATURES, HORIZONS, JOBS = 60, 152, 3, 4


def build(keras, compiled):
    layers = keras.layers
    x = inputs = keras.Input((LOOKBACK, FEATURES))
    for again in (True, False):
        x = layers.LSTM(50, dropout=0.2, recurrent_dropout=0.2, return_sequences=again)(x)
        x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.2)(layers.Dense(25, activation="relu")(x))
    branches = [layers.Dropout(0.2)(layers.Dense(16, activation="relu")(x)) for _ in range(HORIZONS)]
    model = keras.Model(inputs, [layers.Dense(1)(branch) for branch in branches])
    model.compile(
        keras.optimizers.Adam(0.001),
        ["mse"] * HORIZONS,
        loss_weights=[0.5, 0.3, 0.2],
        jit_compile=compiled,
        steps_per_execution=10,
    )
    return model


def train(keras, compiled, seed, rows, valid, epochs):
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    windows = lambda n: random.random((n, LOOKBACK, FEATURES), dtype=np.float32)
    targets = lambda n: [random.random((n, 1), dtype=np.float32) for _ in range(HORIZONS)]
    checked = (windows(valid), targets(valid))
    build(keras, compiled).fit(
        windows(rows), targets(rows), validation_data=checked, epochs=epochs, batch_size=32, verbose=0
    )


def work(pipe, threads, compiled):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    train(keras, compiled, 0, 64, 32, 1)
    pipe.send(None)
    while (order := pipe.recv()) is not None:
        seeds, *size = order
        for seed in seeds:
            train(keras, compiled, seed, *size)
        pipe.send(None)


class Crew:
    """So many processes that share the jobs."""

    def __init__(self, processes, compiled):
        self.pipes = []
        context = multiprocessing.get_context("spawn")
        for _ in range(processes):
            ours, theirs = context.Pipe()
            threads = os.cpu_count() // processes
            context.Process(target=work, args=(theirs, threads, compiled), daemon=True).start()
            self.pipes.append(ours)
        for pipe in self.pipes:
            pipe.recv()

    def seconds(self, *size):
        begin = time.perf_counter()
        for k, pipe in enumerate(self.pipes):
            pipe.send((list(range(k, JOBS, len(self.pipes))), *size))
        for pipe in self.pipes:
            pipe.recv()
        return time.perf_counter() - begin

    def end(self):
        for pipe in self.pipes:
            pipe.send(None)


if __name__ == "__main__":
    rows, valid, epochs = (int(word) for word in sys.argv[1:])
    processes = {"a process a core": os.cpu_count(), "one process": 1}
    compilers = {"graph": False, "XLA": True}
    tried = {}
    for way, chosen in ((f"{p}, {c}", (processes[p], compilers[c])) for p in processes for c in compilers):
        crew = Crew(*chosen)
        tried[way] = (crew.seconds(rows, valid, -(-epochs // 3)), crew)
        print(way, tried[way][0], file=sys.stderr)
    best = min(tried, key=lambda way: tried[way][0])
    for way, (_, crew) in tried.items():
        if way != best:
            crew.end()
    serve(f"keras {version('keras')}, {best}", lambda: tried[best][1].seconds(rows, valid, epochs))
