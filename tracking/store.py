"""RunStore: the tracking store of sweeps. MLflow is loaded when a store is opened, not before."""

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tracking.addresses import reach, uris
from tracking.addresses.relocation import Move, former_roots
from tracking.addresses.uris import resolve_tracking_uri as resolve_tracking_uri
from tracking.errors import RecordError, RefusedError
from tracking.mlflow import local_sweeps
from tracking.mlflow import mapping as view
from tracking.records.records import SweepRecord
from tracking.storage import turns

if TYPE_CHECKING:
    from tracking.mlflow.client import Client, Experiment, Run
    from tracking.mlflow.local_sweeps import Parent
    from tracking.runs.sweep_run import SweepRun
    from tracking.runs.trial_runs import Draw, TrialRuns

_STORAGE = "sweeps.storage"
RANKED = "sweeps.configurations"  # how many runs of configurations the sweep has; none before its first end


class RunStore:
    """The runs of sweeps in one MLflow tracking store.

    A store that was not opened opens itself at first use. Methods may be called from several
    threads; they take turns.

    Args:
        tracking_uri: as ``resolve_tracking_uri`` gives it.
        experiment: where new runs go; runs are found in every experiment.

    Attributes:
        tracking_uri: to be shown and recorded, without a password.
        connection_uri: what MLflow is given; may hold a password.
    """

    def __init__(self, tracking_uri: str, experiment: str = "iwae-sweeps") -> None:
        self.connection_uri = resolve_tracking_uri(tracking_uri)
        self.tracking_uri = uris.shown(self.connection_uri)
        self.experiment = experiment
        self._client: Client | None = None
        self._reading = False
        self._sweeps: dict[str, tuple[SweepRun, TrialRuns]] = {}
        self._one = threading.RLock()
        self._mark = uuid.uuid4().hex

    def open(self, create: bool = False, *, reading: bool = False) -> Self:
        """Connect, unless it is connected for as much already.

        Args:
            create: make a local database that does not exist yet.
            reading: nothing will be written, also where the store was copied or moved. A local store is then
                opened when MLflow is needed, whose import takes seconds.

        Raises:
            RecordError: there is no such store, or it does not answer.
        """
        if self._client is None or (self._reading and not reading):
            self._reading = reading
            if not (reading and self._database is not None and local_sweeps.can_be_read(self._database)):
                self._connect(create)
        return self

    def _connect(self, create: bool = False) -> "Client":
        from tracking.connection.connection import connect

        self._client = connect(self.connection_uri, create, reading=self._reading)
        return self._client

    @property
    def _database(self) -> Path | None:
        """The file of a local store."""
        return uris.sqlite_path(self.connection_uri) if self.connection_uri.startswith("sqlite") else None

    def probe(self) -> None:
        """Raise RecordError within seconds when no server answers at its address, without loading MLflow."""
        reach.require_store(self.connection_uri)

    @property
    def client(self) -> "Client":
        """The connection, made if need be."""
        return self._connect() if self._client is None else self._client

    def sync(
        self,
        record: SweepRecord,
        draw: "Draw | None" = None,
        *,
        afresh: bool = False,
        reread: Callable[[], SweepRecord] | None = None,
    ) -> str:
        """Bring MLflow to what the record says; what is there already stays as it is.

        Trials that have not begun get no run. Of the records that one store syncs each must be newer than the
        one before. Where another process synced since, its record may be newer than this one: then MLflow is
        asked anew and brought to what storage holds now.

        Args:
            record: the sweep.
            draw: draws a trial's figures where the spec wants them; None leaves them out.
            afresh: look at everything anew, also at what MLflow notes as complete.
            reread: how to read the sweep anew, when that is cheaper than from the beginning.

        Returns:
            The parent's run id.

        Raises:
            RefusedError: the store refuses a trial; the others are recorded.
            RecordError: the store does not answer; what was not recorded is, at the next call.
        """
        source = record.source
        assert source is not None
        with self._one, turns.turn(source, self._mark, self.tracking_uri) as turn:
            try:
                if afresh or not turn.again:
                    self.forget(record.name)
                    record = source.record() if reread is None else reread()
                sweep, trials = self._runs_of(record, draw, trusting=not afresh)
                parent = sweep.begin(record)
                known = sweep.has_trials_of(record)
                refused = [] if known else trials.sync_all(record, parent, turn)
                turn.check()
                sweep.finish(record, whole=not refused)
                if refused:
                    more = f" (and {len(refused) - 1} more trials)" if len(refused) > 1 else ""
                    raise RefusedError(f"{refused[0]}{more}")
            except BaseException:
                self.forget(record.name)
                raise
        return parent

    def forget(self, name: str) -> None:
        """Drop what is remembered of a sweep, so that the next call asks MLflow."""
        self._sweeps.pop(name, None)

    def prepare(self, name: str) -> None:
        """Prove that a sweep's runs and their files can be written, before anything of it is started.

        Raises:
            RecordError: they cannot.
        """
        from tracking.connection.experiments import prove

        with self._one:
            prove(self.client, self.experiment_of(name))

    @property
    def is_experiment_deleted(self) -> bool:
        """Whether the experiment where new runs go is in MLflow's trash."""
        found = self.client.experiment(self.experiment)
        return found is not None and found.deleted

    def restore_experiment(self, name: str) -> bool:
        """Take a sweep's experiment back from MLflow's trash, with the runs of this sweep and no others.

        Returns:
            Whether it was there.
        """
        from tracking.connection.experiments import restore

        with self._one:
            self.forget(name)
            return restore(self.client, self.experiment, name)

    def find_sweep(self, name: str) -> str | None:
        """The id of the sweep's parent run, or None."""
        run = self.find_parent(name)
        return None if run is None else run.id

    def find_parent(self, name: str) -> "Run | None":
        """The sweep's parent run, or None."""
        from tracking.runs.sweep_run import parent_run

        return parent_run(self.client, name)

    def list_sweeps(self) -> list[dict[str, Any]]:
        """The sweeps, oldest first: ``name``, ``run_id``, ``status``, ``storage``, ``started`` (seconds)."""
        from tracking.runs.claims import is_open

        return [
            {
                "name": run.tags.get("sweeps.name", run.name),
                "run_id": run.id,
                "status": run.status,
                "storage": run.tags.get(_STORAGE, ""),
                "started": run.start / 1000,
            }
            for run in self._parents()
            if not is_open(run)
        ]

    def _parents(self) -> "Sequence[Run | Parent]":
        if self._client is not None or not self._reading or self._database is None:
            return self.client.runs({"sweeps.kind": "sweep"})
        move = Move(former_roots(self._database, uris.artifact_root(self.connection_uri)))
        return [
            run._replace(tags=run.tags | {_STORAGE: move.storage(run.tags.get(_STORAGE, ""))})
            for run in local_sweeps.parents(self._database)
        ]

    def find_trial(self, run_id: str) -> tuple[str, str, str]:
        """The sweep's name, the trial's key and the storage of a trial's run (or of its reproduction).

        Raises:
            RecordError: no such run, or it is not a trial's.
        """
        run = self.client.run(run_id)
        name, key = run.tags.get("sweeps.name"), run.tags.get("sweeps.trial_key")
        if name is None or key is None:
            raise RecordError(f"run {run_id} is not a trial of a sweep")
        parent = self.find_sweep(name)
        if parent is None:
            raise RecordError(f"run {run_id} belongs to the sweep {name}, which has no parent run")
        return name, key, self.client.run(parent).tags["sweeps.storage"]

    def trial_runs(self, name: str) -> "list[Run]":
        """Every run that says it is a trial of the sweep, oldest first."""
        return self.client.runs({"sweeps.kind": "trial", "sweeps.name": name})

    def trial_run_id(self, name: str, key: str) -> str | None:
        """The id of a trial's run, the oldest, should there be two; or None."""
        runs = self.client.runs(view.identity_tags(name, key))
        return runs[0].id if runs else None

    def attach_report(self, parent_id: str, folder: Path, summary: str, replaced: str | None = None) -> None:
        """Store a report under ``report/`` of the parent run, whose page shows the Markdown ``summary``.

        What people wrote around the summary that is ``replaced`` stays in the run's description.
        """
        from tracking.runs.sweep_run import attach_report

        attach_report(self.client, parent_id, folder, summary, replaced)

    def run_url(self, run_id: str, base: str | None = None) -> str:
        """The page of a run on the server at ``base``; by default the tracking store itself."""
        return uris.run_page(base or self.tracking_uri, self.client.run(run_id).experiment_id, run_id)

    def view_url(self, name: str, base: str | None = None, *, charts: bool = False) -> str | None:
        """The page that ranks a sweep's configurations, before its end its trials; None without one."""
        from tracking.runs.views import open_view

        parent = self.find_parent(name)
        found = None if parent is None else open_view(self.client, parent, name, ranked=RANKED in parent.tags)
        if parent is None or found is None:
            return None
        return uris.view_page(base or self.tracking_uri, parent.experiment_id, found, charts=charts)

    def claim(self, record: SweepRecord) -> str:
        """Make a sweep's name its own before it trains: of several that begin at once one gets it.

        Returns:
            The parent's run id.

        Raises:
            RecordError: the name is another sweep's.
        """
        assert record.source is not None
        with self._one, turns.alone(record.source):
            self.forget(record.name)
            try:
                return self._runs_of(record)[0].begin(record)
            finally:
                self.forget(record.name)

    def _runs_of(
        self, record: SweepRecord, draw: "Draw | None" = None, trusting: bool = True
    ) -> "tuple[SweepRun, TrialRuns]":
        from tracking.connection.experiments import usable
        from tracking.runs.sweep_run import SweepRun, parent_run
        from tracking.runs.trial_runs import TrialRuns

        if record.name not in self._sweeps:
            run = parent_run(self.client, record.name)
            # MLflow cannot move a run: the trials go where the parent is.
            experiment_id = usable(self.client, self.experiment).id if run is None else run.experiment_id
            wanted = bool(record.spec.get("tracking", {}).get("figures", True))
            self._sweeps[record.name] = (
                SweepRun(self.client, experiment_id, run, trusting),
                TrialRuns(self.client, experiment_id, record.name, draw if wanted else None, trusting),
            )
        return self._sweeps[record.name]

    def experiment_of(self, name: str) -> "Experiment":
        """The experiment that a sweep's runs are in, or go to: MLflow cannot move a run.

        Raises:
            RecordError: it was deleted.
        """
        from tracking.connection.experiments import usable
        from tracking.runs.sweep_run import parent_run

        parent = parent_run(self.client, name)
        return usable(self.client, self.experiment) if parent is None else self.client.experiment_of(parent)
