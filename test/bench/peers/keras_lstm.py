"""The index predictor's network in Keras on TensorFlow.

keras_lstm.py train THREADS xla|graph|unrolled RECURRENT BATCHES: milliseconds of a training batch
keras_lstm.py predict THREADS: one window, the fastest of predict(), a graph and a compiled graph
keras_lstm.py sample THREADS: 100 samples of one window with all dropouts on
"""
import os
import sys
from functools import partial

threads = sys.argv[2]
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = threads
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from protocol import milliseconds, serve

RATE, BATCH, WINDOWS = 0.2, 32, 1_680


def network(recurrent, unroll=False):
    lstm = partial(layers.LSTM, 50, dropout=RATE, recurrent_dropout=recurrent, unroll=unroll)
    window = keras.Input((60, 152))
    x = lstm(return_sequences=True)(window)
    x = layers.BatchNormalization()(x)
    x = lstm()(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(RATE)(layers.Dense(25, activation="relu")(x))
    outputs = []
    for horizon in (7, 14, 30):
        y = layers.Dropout(RATE)(layers.Dense(16, activation="relu")(x))
        outputs.append(layers.Dense(1, name=f"h{horizon}")(y))
    return keras.Model(window, outputs)


def training(way, recurrent, batches):
    model = network(recurrent, unroll=way == "unrolled")
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss=["mse"] * 3,
        loss_weights=[0.5, 0.3, 0.2],
        jit_compile=way == "xla",
        steps_per_execution=10,
    )
    random = np.random.default_rng(7)
    x = random.random((WINDOWS, 60, 152), np.float32)
    y = [random.random((WINDOWS, 1), np.float32) for _ in range(3)]
    # Batches are drawn and shuffled beforehand: only their training is measured.
    data = tf.data.Dataset.from_tensor_slices((x, tuple(y))).batch(BATCH, drop_remainder=True)
    data = data.cache().repeat().prefetch(2)
    fit = lambda: model.fit(data, steps_per_epoch=batches, epochs=1, verbose=0)
    fit()
    return lambda: milliseconds(fit, 1) / batches


def fastest(ways, asked):
    """The way of doing it that is fastest here, as a round; and its name."""
    for way in ways.values():
        way()
        way()
    times = {name: milliseconds(way, 20) for name, way in ways.items()}
    best = min(times, key=times.get)
    return best, lambda: milliseconds(ways[best], asked)


def answering(window):
    model = network(RATE)
    graph = tf.function(lambda x: model(x, training=False))
    xla = tf.function(lambda x: model(x, training=False), jit_compile=True)
    x = tf.constant(window)
    values = lambda outputs: [output.numpy() for output in outputs]
    return fastest(
        {
            "predict()": lambda: model.predict(window, verbose=0),
            "tf.function": lambda: values(graph(x)),
            "tf.function, XLA": lambda: values(xla(x)),
        },
        200,
    )


def sampling(window):
    model = network(RATE)
    graph = tf.function(lambda x: model(x, training=True))
    xla = tf.function(lambda x: model(x, training=True), jit_compile=True)
    x = tf.constant(np.repeat(window, 100, axis=0))
    values = lambda outputs: [output.numpy() for output in outputs]
    return fastest(
        {"tf.function": lambda: values(graph(x)), "tf.function, XLA": lambda: values(xla(x))}, 40
    )


what, title = sys.argv[1], f"Keras {keras.__version__}"
if what == "train":
    way, recurrent, batches = sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
    serve(f"{title}, {way}, {threads} threads", training(way, recurrent, batches))
else:
    window = np.random.default_rng(7).random((1, 60, 152), np.float32)
    way, round_ = (answering if what == "predict" else sampling)(window)
    serve(f"{title} {way}", round_)
