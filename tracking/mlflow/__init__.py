"""The one door to MLflow: plain values go in and come out, and a failure is one line.

Nothing outside this package imports MLflow. It is imported when a store is opened, never by a worker.
"""

import logging
import os

# Before the import: MLflow reads some of these once. A call to a dead server takes 246 s with its defaults.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Standard output belongs to results; and the link costs two more requests a run.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports the creation of its tables
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # and a traceback of what it raises
