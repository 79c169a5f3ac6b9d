"""The one door to MLflow: plain values go in and come out, and a failure is one line.

Nothing else imports MLflow, and this module is imported when a store is opened, never by a worker.
"""

import json
import logging
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

# Before the import: MLflow reads some of these once. A call to a dead server takes 246 s with its defaults.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Standard output belongs to results; and the link costs two more requests a run.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.rest_utils import http_request, verify_rest_response
from sqlalchemy.exc import SQLAlchemyError

from iwae.config import DataConfig
from iwae.errors import RecordError
from tracking.uris import is_server, shown
from tracking.view import Point

logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports the creation of its tables

MAX_METRICS = 1000  # MLflow's limits for one `log_batch`
MAX_PARAMS = 100
MAX_TAG_LENGTH = 8000
MAX_BULK_RUNS = 100  # and for one question after many runs' histories
MAX_BULK_POINTS = 25_000
SERVER_THREADS = 8
MAX_DIGEST_LENGTH = 36
_PAGE = 200  # a page of 1,000 runs may take a busy server longer than a call may wait
_BULK_PAGE = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
_LOCKED_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
_FAILURES = (MlflowException, SQLAlchemyError, OSError)
_STATUS = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A run without its history; ``start`` and ``end`` in milliseconds since 1970."""

    id: str
    experiment_id: str
    name: str
    status: str
    start: int
    end: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    datasets: Sequence[tuple[str, str]]


class Client:
    """What this project asks of MLflow.

    Args:
        uri: the tracking store.

    Raises:
        RecordError: from every method, when the store does not answer or refuses.
    """

    def __init__(self, uri: str) -> None:
        self.uri = shown(uri)
        self._connection_uri = uri
        self.mlflow: MlflowClient = self.call(MlflowClient, uri)
        self._repositories: dict[str, ArtifactRepository] = {}
        self._artifact_uris: dict[str, str] = {}
        self._data_sets = threading.Lock()

    @property
    def at_once(self) -> int:
        """How many calls are worth making at the same time: a server waits for disks and networks."""
        return SERVER_THREADS if is_server(self.uri) else 1

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call MLflow; wait while another process holds the lock of an SQLite database."""
        for wait in (*_LOCKED_WAITS, None):
            try:
                return function(*arguments, **named)
            except _FAILURES as error:
                if "database is locked" in str(error) and wait is not None:
                    time.sleep(wait)
                    continue
                raise RecordError(f"tracking store {self.uri}: {self._reason(error)}") from error
        raise AssertionError

    def _reason(self, error: Exception) -> str:
        if _http_status(error) == 401:
            return (
                "it refuses this user and password, or their absence: set MLFLOW_TRACKING_USERNAME and"
                " MLFLOW_TRACKING_PASSWORD"
            )
        reason = " ".join(str(error).replace(self._connection_uri, self.uri).split())[:300]
        if _http_status(error) == 403:
            return f"{reason} (as the user that MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD name)"
        return reason

    def experiments(self) -> dict[str, str]:
        """Ids of the experiments by name."""
        found = self._pages(lambda token: self.call(self.mlflow.search_experiments, page_token=token))
        return {experiment.name: experiment.experiment_id for experiment in found}

    def create_experiment(self, name: str, artifact_location: str | None) -> str:
        """The id of the experiment of this name, made when there is none."""
        tags = {"mlflow.experimentKind": "custom_model_development"}  # the pages open in the training view
        try:
            return self.call(self.mlflow.create_experiment, name, artifact_location, tags)
        except RecordError:
            known = self.experiments()
            if name not in known:
                raise
            return known[name]

    def runs(self, tags: Mapping[str, str]) -> list[Run]:
        """Runs of every experiment that have these tags, oldest first."""
        ids = list(self.experiments().values())
        conditions = " and ".join(f"tags.`{name}` = '{_quoted(value)}'" for name, value in tags.items())
        order = ["attributes.start_time ASC"]

        def page(token: str | None) -> Any:
            return self.call(
                self.mlflow.search_runs, ids, conditions, max_results=_PAGE, order_by=order, page_token=token
            )

        return [self._plain(run) for run in self._pages(page)]

    def run(self, run_id: str) -> Run:
        """The run with this id; a deleted one counts as missing."""
        try:
            found = self.call(self.mlflow.get_run, run_id)
        except RecordError as error:
            if getattr(error.__cause__, "error_code", "") in _NOT_THERE:
                raise RecordError(f"no run {run_id} in {self.uri}") from None
            raise
        if found.info.lifecycle_stage != "active":
            raise RecordError(f"run {run_id} in {self.uri} was deleted")
        return self._plain(found)

    def create_run(self, experiment_id: str, name: str, start: int, tags: Mapping[str, str]) -> Run:
        """A new run with its tags in one transaction, so that it can be found again whatever happens next."""
        return self._plain(self.call(self.mlflow.create_run, experiment_id, start, dict(tags), name))

    def log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add values; MLflow takes the points of one call, at most ``MAX_METRICS``, all or not at all."""
        assert len(points) <= MAX_METRICS
        metrics = [Metric(point.key, point.value, point.time, point.step) for point in points]
        items = [Param(name, value) for name, value in (params or {}).items()]
        for first in range(MAX_PARAMS, len(items), MAX_PARAMS):
            self.call(self.mlflow.log_batch, run_id, params=items[first : first + MAX_PARAMS])
        run_tags = [RunTag(name, value[:MAX_TAG_LENGTH]) for name, value in (tags or {}).items()]
        self.call(self.mlflow.log_batch, run_id, metrics, items[:MAX_PARAMS], run_tags)

    def history(self, run_id: str, key: str) -> list[Point]:
        """Every value that was logged for a metric, in the order of logging as far as MLflow keeps it."""
        found = self.call(self.mlflow.get_metric_history, run_id, key)
        return [Point(key, metric.step, metric.timestamp, metric.value) for metric in found]

    def histories(self, keys: Mapping[str, Iterable[str]]) -> dict[str, list[Point]]:
        """Every value that was logged for some metrics of many runs, by run, in no order.

        One call answers for a metric of a hundred runs; where a store has no such call, each is asked for.

        Args:
            keys: names of metrics by run id.
        """
        runs_of: dict[str, list[str]] = {}
        for run_id, names in keys.items():
            for name in names:
                runs_of.setdefault(name, []).append(run_id)
        questions = [
            (name, ids[first : first + MAX_BULK_RUNS])
            for name, ids in runs_of.items()
            for first in range(0, len(ids), MAX_BULK_RUNS)
        ]
        found: dict[str, list[Point]] = {run_id: [] for run_id in keys}
        for answer in self.each(lambda question: self._bulk(*question), questions):
            for run_id, point in answer:
                found[run_id].append(point)
        return found

    def _bulk(self, key: str, run_ids: Sequence[str]) -> list[tuple[str, Point]]:
        """One metric's history of at most ``MAX_BULK_RUNS`` runs, in parts where one answer is cut off."""
        if len(run_ids) == 1:
            return [(run_ids[0], point) for point in self.history(run_ids[0], key)]
        answer = self.call(_bulk_history, self.mlflow, run_ids, key)
        if answer is not None and len(answer) < MAX_BULK_POINTS:
            return [(m["run_id"], Point(key, m["step"], m["timestamp"], m["value"])) for m in answer]
        middle = len(run_ids) // 2
        return [*self._bulk(key, run_ids[:middle]), *self._bulk(key, run_ids[middle:])]

    def each(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """The function of every item, several at once on a server; the first error is raised."""
        if self.at_once == 1 or len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.at_once, thread_name_prefix="mlflow") as pool:
            return list(pool.map(function, items))

    def log_dataset(self, run_id: str, data: DataConfig, content_hash: str) -> None:
        """Note the data set as the run's input; the same again changes nothing.

        MLflow's digest is the beginning of the content's SHA-256, which stands whole in the profile.
        """
        source = json.dumps({"name": data.name, "path": data.path})
        profile = json.dumps({"sha256": content_hash, **data.model_dump(mode="json")})
        digest = content_hash[:MAX_DIGEST_LENGTH]
        dataset = Dataset(data.name, digest, "local" if data.path else "code", source, profile=profile)
        tags = [InputTag("mlflow.data.context", "training")]
        with self._data_sets:  # a server whose first two runs name a data set at once refuses one of them
            self.call(self.mlflow.log_inputs, run_id, [DatasetInput(dataset, tags)])

    def upload(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Store files under their paths among the run's artifacts, over what lies there."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.call(self._repository(run_id).log_artifacts, folder)

    def files(self, run_id: str, folder: str | None = None) -> list[str]:
        """Paths of the run's artifacts, folders opened."""
        names: list[str] = []
        for item in self.call(self._repository(run_id).list_artifacts, folder):
            names += self.files(run_id, item.path) if item.is_dir else [item.path]
        return names

    def read(self, run_id: str, path: str) -> bytes:
        """The content of an artifact."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            local = self.call(self._repository(run_id).download_artifacts, path, dst_path=folder)
            return Path(local).read_bytes()

    def read_if_there(self, run_id: str, path: str) -> bytes | None:
        """The content of an artifact, or None; `read` asks twice, whether it is a folder first."""
        with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
            local = Path(folder, "file")
            try:
                self._repository(run_id)._download_file(path, str(local))  # type: ignore[no-untyped-call]
                return local.read_bytes()
            except Exception:  # each kind of repository says in its own way that there is no such file
                return self.read(run_id, path) if path in self.files(run_id) else None

    def remove(self, run_id: str, path: str) -> None:
        """Remove an artifact; one that is not there is no error."""
        self.call(self._repository(run_id).delete_artifacts, path)

    def _repository(self, run_id: str) -> ArtifactRepository:
        """Where a run's artifacts lie; `runs:/` addresses ask the store several times for each file."""
        if run_id not in self._repositories:
            if run_id not in self._artifact_uris:
                self.run(run_id)
            uri = self._artifact_uris[run_id]
            self._repositories[run_id] = self.call(
                get_artifact_repository, uri, tracking_uri=self._connection_uri
            )
        return self._repositories[run_id]

    def end(self, run_id: str, status: str, end: int) -> None:
        """Close a run."""
        self.call(self.mlflow.set_terminated, run_id, status, end)

    def reopen(self, run_id: str) -> None:
        """Let a closed run go on."""
        self.call(self.mlflow.update_run, run_id, "RUNNING")

    def delete(self, run_id: str) -> None:
        """Move a run to MLflow's trash (`mlflow gc` empties it)."""
        self.call(self.mlflow.delete_run, run_id)

    def models(self, tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The tags of the logged models that have these, by model id, newest first."""
        ids = list(self.experiments().values())
        conditions = " and ".join(f"tags.`{name}` = '{_quoted(value)}'" for name, value in tags.items())
        found = self._pages(
            lambda token: self.call(self.mlflow.search_logged_models, ids, conditions, page_token=token)
        )
        return {model.model_id: model.tags for model in found}

    def log_model(
        self, run_id: str, name: str, step: int, first: Mapping[str, str], last: Mapping[str, str], *,
        loader: str, data: Path, code: Sequence[Path], requirements: Sequence[str],
    ) -> str:  # fmt: skip
        """Log a model that images ``[N, X]`` go into, any N; returns its id.

        It has the tags ``first`` from the beginning and ``last`` when everything else has arrived.
        """
        experiment_id = self.run(run_id).experiment_id
        model = self.call(self.mlflow.create_logged_model, experiment_id, name, run_id, dict(first))
        identity = str(model.model_id)
        with tempfile.TemporaryDirectory(prefix="sweeps-") as temporary:
            folder = Path(temporary, "model")
            self.call(_save_model, folder, loader, data, code, requirements)
            self.call(self.mlflow.log_model_artifacts, identity, str(folder))
        self.call(self.mlflow.finalize_logged_model, identity, "READY")
        self.call(self.mlflow.log_outputs, run_id, [LoggedModelOutput(identity, step)])
        self.call(self.mlflow.set_logged_model_tags, identity, dict(last))
        return identity

    def delete_model(self, model_id: str) -> None:
        """Move a logged model to MLflow's trash."""
        self.call(self.mlflow.delete_logged_model, model_id)

    def _plain(self, run: MlflowRun) -> Run:
        info, data = run.info, run.data
        self._artifact_uris[info.run_id] = info.artifact_uri
        inputs = run.inputs.dataset_inputs if run.inputs is not None else []
        datasets = [(item.dataset.name, item.dataset.digest) for item in inputs]
        return Run(
            info.run_id, info.experiment_id, info.run_name, info.status, info.start_time, info.end_time,
            data.tags, data.params, data.metrics, datasets,
        )  # fmt: skip

    @staticmethod
    def _pages(page: Callable[[str | None], Any]) -> Iterable[Any]:
        token: str | None = None
        while True:
            found = page(token)
            yield from found
            if not (token := found.token):
                return


def _save_model(
    folder: Path, loader: str, data: Path, code: Sequence[Path], requirements: Sequence[str]
) -> None:
    # It warns of its own type hints, and of a missing example: an example would fix the number of images.
    with warnings.catch_warnings(action="ignore"):
        from mlflow import pyfunc, types
        from mlflow.models import ModelSignature

        pixels = types.Schema([types.TensorSpec(np.dtype(np.float32), (-1, -1))])
        choices = [types.ParamSpec("num_samples", "long", 100), types.ParamSpec("output", "string", "nll")]
        pyfunc.save_model(
            folder, loader_module=loader, data_path=str(data), code_paths=[str(path) for path in code],
            signature=ModelSignature(inputs=pixels, params=types.ParamSchema(choices)),
            pip_requirements=list(requirements),
        )  # fmt: skip


def _http_status(error: Exception) -> int | None:
    """What a server answered: artifacts come with its response, everything else with MLflow's name of it."""
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    return status or _STATUS.get(getattr(error, "error_code", ""))


def _bulk_history(mlflow: MlflowClient, run_ids: Sequence[str], key: str) -> list[dict[str, Any]] | None:
    """What the UI asks for, as no public method of the client does; None where it is not there."""
    store = mlflow._tracking_client.store
    if hasattr(store, "get_metric_history_bulk"):
        found = store.get_metric_history_bulk(list(run_ids), key, MAX_BULK_POINTS)
        return [metric.to_dict() for metric in found]
    query = {"run_id": list(run_ids), "metric_key": key, "max_results": MAX_BULK_POINTS}
    answer = http_request(store.get_host_creds(), _BULK_PAGE, "GET", params=query)  # type: ignore[no-untyped-call]
    if answer.status_code == 404:
        return None
    metrics: list[dict[str, Any]] = verify_rest_response(answer, _BULK_PAGE).json()["metrics"]
    return metrics


def _quoted(value: str) -> str:
    if "'" in value:
        raise RecordError(f"{value!r} is not allowed: must be a name without quotes")
    return value
