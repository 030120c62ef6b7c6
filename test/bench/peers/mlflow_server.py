"""The graph behind MLflow's model server, in the folder that SERVED names: mlflow_server.py PORT. One worker."""
import os
import shutil
import sys
from pathlib import Path

import mlflow

folder = Path(os.environ["SERVED"])
saved = folder / "mlflow-model"
shutil.rmtree(saved, ignore_errors=True)
code = Path(__file__).with_name("mlflow_model.py")
mlflow.pyfunc.save_model(str(saved), python_model=str(code), pip_requirements=[])
port = sys.argv[1]
arguments = ["models", "serve", "-m", str(saved), "-p", port, "-h", "127.0.0.1", "--env-manager", "local", "--workers", "1"]
# It starts its server by name.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
os.execv(sys.executable, [sys.executable, "-m", "mlflow", *arguments])
