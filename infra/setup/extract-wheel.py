"""Takes TensorFlow's C library and the headers that tfjs-node's binding needs out of a wheel."""

import os
import sys
import zipfile

wheel, target = sys.argv[1:]
HEADERS = ("c/", "core/platform/")
WANTED = tuple("tensorflow/include/tensorflow/" + h for h in HEADERS) + (
    "tensorflow/include/tsl/platform/",
    "tensorflow/include/xla/tsl/",
)

with zipfile.ZipFile(wheel) as archive:
    for item in archive.infolist():
        name = item.filename
        if name.startswith("tensorflow/libtensorflow"):
            item.filename = os.path.join("deps/lib", os.path.basename(name))
        elif name.startswith(WANTED):
            item.filename = os.path.join("deps", name[len("tensorflow/"):])
        else:
            continue
        archive.extract(item, target)
