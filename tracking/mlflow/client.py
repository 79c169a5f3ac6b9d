"""The client of a tracking store: experiments and runs, and the way to files, histories and models."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.entities import Experiment as MlflowExperiment
from mlflow.entities import Run as MlflowRun

from iwae.config.data import DataConfig
from tracking.addresses.relocation import Move
from tracking.errors import RecordError
from tracking.mlflow.artifacts import Artifacts
from tracking.mlflow.calls import Calls, quoted
from tracking.mlflow.histories import Histories
from tracking.mlflow.limits import MAX_PARAM, MAX_RUN_NAME, MAX_TAG, stored
from tracking.mlflow.mapping import MAX_DIGEST_LENGTH, Point

MAX_METRICS = 1000  # MLflow's limits for one `log_batch`
MAX_PARAMS = 100
_PAGE = 200  # a page of 1,000 runs may take a busy server longer than a call may wait
_STORAGE = "sweeps.storage"
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


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


@dataclass(frozen=True)
class Experiment:
    """An experiment; ``root`` is the address of the files of its runs."""

    id: str
    name: str
    root: str
    deleted: bool


class Client(Calls):
    """What this project asks of MLflow.

    Args:
        uri: the tracking store.
        move: where the files of a store that was copied or moved are now.

    Attributes:
        artifacts: the files of runs.
        histories: every value of metrics.
        move: as given; by default nothing moved.

    Raises:
        RecordError: from every method, when the store does not answer or refuses.
    """

    def __init__(self, uri: str, move: Move | None = None) -> None:
        super().__init__(uri)
        self.move = move or Move()
        self._artifact_uris: dict[str, str] = {}
        self._data_sets = threading.Lock()
        self.artifacts = Artifacts(self, self._artifact_uri)
        self.histories = Histories(self)

    def experiments(self) -> dict[str, str]:
        """Ids of the experiments by name."""
        found = self.pages(lambda token: self.call(self.mlflow.search_experiments, page_token=token))
        return {experiment.name: experiment.experiment_id for experiment in found}

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of this name, also one that was deleted."""
        found = self.call(self.mlflow.get_experiment_by_name, name)
        return None if found is None else _experiment(found)

    def experiment_of(self, run: Run) -> Experiment:
        """The experiment that a run is in."""
        return _experiment(self.call(self.mlflow.get_experiment, run.experiment_id))

    def create_experiment(self, name: str, artifact_location: str | None) -> Experiment:
        """The experiment of this name, made when there is none; one that was deleted stays deleted."""
        tags = {"mlflow.experimentKind": "custom_model_development"}  # the pages open in the training view
        try:
            made = self.call(self.mlflow.create_experiment, name, artifact_location, tags)
        except RecordError:
            known = self.experiment(name)
            if known is None:
                raise
            return known
        return _experiment(self.call(self.mlflow.get_experiment, made))

    def experiment_tags(self, experiment_id: str) -> dict[str, str]:
        """The tags of an experiment; MLflow keeps the saved views of its pages among them."""
        return dict(self.call(self.mlflow.get_experiment, experiment_id).tags)

    def tag_experiment(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment."""
        for name, text in tags.items():
            self.call(self.mlflow.set_experiment_tag, experiment_id, name, text)

    def untag_experiment(self, experiment_id: str, name: str) -> None:
        """Remove a tag of an experiment."""
        self.call(self.mlflow.delete_experiment_tag, experiment_id, name)

    def restore_experiment(self, experiment_id: str) -> None:
        """Take an experiment back from MLflow's trash, and with it every run of it."""
        self.call(self.mlflow.restore_experiment, experiment_id)

    def runs(
        self, tags: Mapping[str, str], experiment_ids: Sequence[str] | None = None, *, deleted: bool = False
    ) -> list[Run]:
        """Runs that have these tags, oldest first; by default of every experiment that was not deleted.

        Args:
            tags: what they must have.
            experiment_ids: where to look.
            deleted: those in MLflow's trash instead.
        """
        view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
        ids = list(self.experiments().values()) if experiment_ids is None else list(experiment_ids)
        conditions = " and ".join(f"tags.`{name}` = '{quoted(value)}'" for name, value in tags.items())
        order = ["attributes.start_time ASC"]

        def page(token: str | None) -> Any:
            return self.call(self.mlflow.search_runs, ids, conditions, view, _PAGE, order, token)

        return [self._plain(run) for run in self.pages(page)]

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
        texts, short = _texts(tags, MAX_TAG), stored(name, MAX_RUN_NAME)
        return self._plain(self.call(self.mlflow.create_run, experiment_id, start, texts, short))

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
        items = [Param(name, text) for name, text in _texts(params or {}, MAX_PARAM).items()]
        for first in range(MAX_PARAMS, len(items), MAX_PARAMS):
            self.call(self.mlflow.log_batch, run_id, params=items[first : first + MAX_PARAMS])
        run_tags = [RunTag(name, text) for name, text in _texts(tags or {}, MAX_TAG).items()]
        self.call(self.mlflow.log_batch, run_id, metrics, items[:MAX_PARAMS], run_tags)

    def log_latest(
        self, run: Run, metrics: Mapping[str, float], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Bring single values of a run, without steps, to these; what it has already is not logged again."""
        now = round(time.time() * 1000)
        points = [
            Point(key, 0, now, value) for key, value in metrics.items() if run.metrics.get(key) != value
        ]
        new = {name: text for name, text in params.items() if name not in run.params}
        changed = {name: text for name, text in tags.items() if run.tags.get(name) != text}
        if points or new or changed:
            self.log(run.id, points, new, changed)

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

    def end(self, run_id: str, status: str, end: int) -> None:
        """Close a run."""
        self.call(self.mlflow.set_terminated, run_id, status, end)

    def reopen(self, run_id: str) -> None:
        """Let a closed run go on."""
        self.call(self.mlflow.update_run, run_id, "RUNNING")

    def delete(self, run_id: str) -> None:
        """Move a run to MLflow's trash (`mlflow gc` empties it)."""
        self.call(self.mlflow.delete_run, run_id)

    def restore(self, run_id: str) -> None:
        """Take a run back from MLflow's trash."""
        self.call(self.mlflow.restore_run, run_id)

    def _artifact_uri(self, run_id: str) -> str:
        if run_id not in self._artifact_uris:
            self.run(run_id)
        return self._artifact_uris[run_id]

    def _plain(self, run: MlflowRun) -> Run:
        info, data = run.info, run.data
        self._artifact_uris[info.run_id] = self.move.artifact(info.artifact_uri)
        inputs = run.inputs.dataset_inputs if run.inputs is not None else []
        datasets = [(item.dataset.name, item.dataset.digest) for item in inputs]
        tags = dict(data.tags)
        if _STORAGE in tags:
            tags[_STORAGE] = self.move.storage(tags[_STORAGE])
        return Run(
            info.run_id,
            info.experiment_id,
            info.run_name,
            info.status,
            info.start_time,
            info.end_time,
            tags,
            data.params,
            data.metrics,
            datasets,
        )


def _experiment(found: MlflowExperiment) -> Experiment:
    deleted = found.lifecycle_stage != "active"
    return Experiment(found.experiment_id, found.name, found.artifact_location, deleted)


def _texts(texts: Mapping[str, str], limit: int) -> dict[str, str]:
    return {name: stored(text, limit) for name, text in texts.items()}
