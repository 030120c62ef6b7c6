"""Loads a model package with plain onnxruntime and reproduces its golden forecasts.

    python examples/reproduce.py PACKAGE_DIR

PACKAGE_DIR holds model.onnx, preprocessing.json, golden.json and the other files of a package, such as a
replica's `packages/<packageDigest>`. Prints one JSON line; exit code 1 when a forecast differs by more than the
package's own tolerance, or a file is not the one that the manifest lists.
"""

import base64
import hashlib
import json
import pathlib
import sys

import numpy
import onnxruntime


def reproduce(folder: pathlib.Path) -> dict:
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        digest = hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest()
        if digest != file["sha256"]:
            raise SystemExit(f"{file['path']} is not the file that the manifest lists")

    preprocessing = json.loads((folder / "preprocessing.json").read_text())
    golden = json.loads((folder / "golden.json").read_text())
    shape = (-1, preprocessing["lookback"], len(preprocessing["featureNames"]))
    windows = numpy.frombuffer(base64.b64decode(golden["windows"]), "<f8").reshape(shape)

    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    inputs = {"x": windows}
    if "close" in {value.name for value in session.get_inputs()}:
        inputs["close"] = numpy.array(golden["close"], dtype="f8").reshape(-1, 1)
    forecasts = session.run(["y"], inputs)[0]

    expected = numpy.array(golden["expected"])
    scale = numpy.maximum(numpy.abs(expected), numpy.array(golden["labelSd"]))
    worst = float(numpy.max(numpy.abs(forecasts - expected) / scale))
    result = {
        "model": manifest["model"],
        "version": manifest["version"],
        "horizons": preprocessing["label"]["horizons"],
        "forecasts": forecasts.tolist(),
        "worstRelativeDifference": worst,
        "tolerance": golden["tolerance"],
        "equal": worst <= golden["tolerance"],
    }
    if (folder / "outliers.json").exists():
        result["dissimilarity"] = dissimilarity(folder, windows)
    return result


def dissimilarity(folder: pathlib.Path, windows: numpy.ndarray) -> list:
    """How unlike the training rows each window's last row is: above 1 an answer is an outlier."""
    outliers = json.loads((folder / "outliers.json").read_text())
    offset, factor = numpy.array(outliers["offset"]), numpy.array(outliers["factor"])
    points = numpy.frombuffer(base64.b64decode(outliers["points"]), "<f4")
    points = points.reshape(-1, len(offset)).astype("f8")
    rows = (windows[:, -1] - offset) * factor
    nearest = [numpy.sqrt(((points - row) ** 2).sum(axis=1).min()) for row in rows]
    return [float(distance / outliers["threshold"]) for distance in nearest]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    result = reproduce(pathlib.Path(sys.argv[1]))
    print(json.dumps(result))
    sys.exit(0 if result["equal"] else 1)
