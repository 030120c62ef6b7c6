"""Runs the code cells of a notebook in order, in one namespace, as a kernel would.

    python run_notebook.py NOTEBOOK [--write]

Prints a JSON array of [stored, printed] of each code cell. `--write` stores what was printed in the notebook.
"""

import contextlib
import io
import json
import pathlib
import sys


def main(path: pathlib.Path, write: bool) -> None:
    notebook = json.loads(path.read_text())
    sys.path.insert(0, str(path.parent.resolve()))
    namespace: dict = {"__name__": "__main__"}
    outputs = []
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for count, cell in enumerate(cells, start=1):
        stored = "".join(output["text"] for output in cell["outputs"])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"{path.name}, cell {count}", "exec"), namespace)
        text = printed.getvalue()
        outputs.append([stored, text])
        stream = {"name": "stdout", "output_type": "stream", "text": text}
        cell |= {"execution_count": count, "outputs": [stream] if text else []}
    if write:
        path.write_text(json.dumps(notebook, indent=1) + "\n")
    print(json.dumps(outputs))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), "--write" in sys.argv)
