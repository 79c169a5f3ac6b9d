"""MLflow's server behind a secret: `mlflow server --app-name sweeps-ui`, which does not start without one."""

import os

from mlflow.server.fastapi_app import app as mlflow_app

from tracking.mlflow.guard import Guard

app = Guard(mlflow_app, os.environ["SWEEPS_UI_TOKEN"], os.environ["SWEEPS_UI_COOKIE"])
