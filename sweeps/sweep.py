"""Sweep: one sweep as an object, for scripts, notebooks and the command line.

How a value flows: `sweeps.launch` opens storage and tracking store once and hands them to a `Sweep`. Each of
its methods reads from storage afresh, calls one function of the core, and returns what that returns. What is
said meanwhile goes to the logger ``sweeps``, what comes and goes to a display. A command turns its words into
the arguments of a method, and prints what the method returns: it decides nothing.
"""

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps import changes
from sweeps.deletion import delete
from sweeps.errors import Interrupted
from sweeps.opening import files_of, is_made
from sweeps.results.trials import Trial, trial_of
from sweeps.runner import resume_sweep, run_sweep
from sweeps.screen.here import Screen, here
from sweeps.screen.notice import notified
from sweeps.spec.assignments import Assignments
from sweeps.status import status_json
from tracking.records.records import SweepRecord, TrialRecord
from tracking.storage.sessions import refuse_if_live
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

if TYPE_CHECKING:
    # What these load (PyTorch, Ray, MLflow, pandas, drawing) is loaded by the methods that need it.
    import pandas as pd

    from iwae.trained import TrainedModel
    from sweeps.bundle import Bundled
    from sweeps.result import SweepResult
    from sweeps.results.best import BestRun
    from sweeps.results.report import StoredReport
    from sweeps.results.verification import Verification
    from sweeps.spec.spec import SweepSpec
    from tracking.reproduction import Reproduction

_log = logging.getLogger(__name__)


class Sweep:
    """One sweep: its files in storage and its runs in a tracking store.

    `sweeps.run`, `sweeps.open` and `sweeps.open_run` make one. Mistakes raise `iwae.errors.UserError` with
    the line that the command line prints, work that failed another `iwae.errors.SweepError`.

    Args:
        storage: the sweep's files.
        store: gives the tracking store to the first method that needs it.
        screen: where the methods show what goes on.

    Attributes:
        result: what the last `run`, `resume` or `extend` of this object ended with; None before.
    """

    def __init__(self, storage: SweepStorage, store: Callable[[], RunStore], screen: Screen = here) -> None:
        self.storage = storage
        self._store = store
        self.result: SweepResult | None = None
        self._screen = screen

    def __repr__(self) -> str:
        return f"Sweep({self.name!r}, storage={self.storage.files.uri!r})"

    def _repr_html_(self) -> str:
        from sweeps.screen.notebook import sweep_html

        return sweep_html(self.status(), f"{self.storage.uri}/report/index.html")

    @cached_property
    def store(self) -> RunStore:
        """The tracking store, one for the object's life."""
        return self._store()

    @property
    def name(self) -> str:
        """Unique in a tracking store."""
        return self.storage.name

    def record(self) -> SweepRecord:
        """Everything that storage holds of the sweep, read afresh."""
        return self.storage.record()

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """The trials in the plan's order, read afresh: configuration, state, history, final metrics."""
        return self.record().trials

    def trial(self, which: Trial) -> TrialRecord:
        """A trial by its name (``K=50 D=20 s0``), its key, or the beginning of its key.

        Raises:
            RecordError: the sweep has none, or several.
        """
        return trial_of(self.record(), which)

    def status(self) -> dict[str, Any]:
        """Where the sweep stands, as `sweeps status --json`: trials by state, what runs, seconds left."""
        return status_json(self.storage)

    def table(self, *, all_params: bool = False) -> "pd.DataFrame":
        """One row a trial: see `sweeps.results.tables.table_of`."""
        from sweeps.results.tables import table_of

        return table_of(self.record(), all_params=all_params)

    def curves(self, *, all_params: bool = False) -> "pd.DataFrame":
        """One row a trial and epoch: see `sweeps.results.tables.curves_of`."""
        from sweeps.results.tables import curves_of

        return curves_of(self.record(), all_params=all_params)

    def best(self) -> "BestRun":
        """The configuration with the lowest mean final validation NLL over seeds, and its median run.

        Raises:
            UserError: no trial is complete.
        """
        from sweeps.results.best import best_run

        return best_run(self.storage, self.store)

    def load(self, trial: Trial) -> "TrainedModel":
        """The model that a complete trial trained, on the CPU; `best().load()` is the best one.

        Raises:
            RecordError: the trial is not complete.
        """
        from sweeps.results.best import load_model

        return load_model(self.storage, self.trial(trial))

    # What changes it

    def run(self, spec: "SweepSpec", *, address: str | None = None) -> "Sweep":
        """Run it from the beginning and wait for its end; `sweeps.run` calls this.

        Raises:
            UserError: the name is taken, data are missing, or resources are not there; nothing was started.
            Interrupted: it was stopped in order.
        """
        return self._ended(run_sweep, spec, self.storage.files, self.store, address=address)

    def resume(
        self, set: Assignments | None = None, *, retry_failed: bool = False, address: str | None = None
    ) -> "Sweep":
        """Go on: finished trials stay, the others continue from their newest checkpoint.

        Args:
            set: new values of budget, resources and tracking, for example ``{"budget.wall_clock": "2h"}``.
            retry_failed: run FAILED trials again too.
            address: of a Ray cluster; None starts Ray on this machine.

        Raises:
            UserError: another driver runs it, or ``set`` changes what may not change; nothing was started.
            Interrupted: it was stopped in order.
        """
        spec = changes.resumed_from(self.storage.spec(), set or ())
        options = {"retry_failed": retry_failed, "address": address}
        return self._ended(resume_sweep, spec, self.storage, self.store, **options)

    def extend(self, set: Assignments, *, address: str | None = None) -> "Sweep":
        """Add seeds, grid values or trials and run them; what is done stays done.

        Args:
            set: what is added, for example ``{"search.seeds": [0, 1, 2, 3]}``: the whole new list.
            address: of a Ray cluster; None starts Ray on this machine.

        Raises:
            UserError: another driver runs it, or a trial would be lost; nothing was started.
            Interrupted: it was stopped in order.
        """
        refuse_if_live(self.storage)
        spec, plan = changes.extended(self.storage, set)
        return self._ended(resume_sweep, spec, self.storage, self.store, plan=plan, address=address)

    def fork(
        self,
        trial: Trial,
        set: Assignments | None = None,
        *,
        name: str | None = None,
        storage: str | Path | None = None,
        address: str | None = None,
    ) -> "Sweep":
        """Run a new one-trial sweep with a trial's configuration.

        Args:
            trial: whose configuration is taken.
            set: values of the training configuration, for example ``{"objective.num_samples": 50}``.
            name: of the new sweep; None takes this one's with ``-fork`` and a number.
            storage: where the new sweep's files go; None takes this sweep's storage.
            address: of a Ray cluster; None starts Ray on this machine.

        Raises:
            UserError: the configuration is not allowed, or the name is taken; nothing was started.
        """
        store = self.store.open()
        files = self.storage.files if storage is None else files_of(storage)
        name = name or changes.free_name(f"{self.name}-fork", files, store)
        experiment = store.experiment_of(self.name).name
        spec = changes.forked_from(self.storage, self.trial(trial).plan, name, experiment, set or ())
        return Sweep(SweepStorage(files, name), lambda: store, self._screen).run(spec, address=address)

    def stop(self, timeout: float = changes.STOP_PATIENCE_SECONDS) -> bool:
        """Ask the driver to stop it, wherever it runs, and wait: every trial writes a checkpoint first.

        Args:
            timeout: seconds to wait; 0 asks and does not wait.

        Returns:
            Whether a driver was running it.

        Raises:
            RecordError: the driver did not end in time.
        """
        return changes.stop(self.storage, timeout)

    def delete(self) -> None:
        """Delete its runs in MLflow, their artifacts, and its files; what others put there stays."""
        delete(self.storage, self.store.open() if is_made(self.store) else None, _log.info)

    def report(self, output: Path | str | None = None, against: "Sweep | None" = None) -> "StoredReport":
        """Write the trade-off report to storage and attach it to the parent run; a notebook shows it.

        Args:
            output: a folder that gets it as well.
            against: another sweep, to which it is compared in a section of its own: see `sweeps.compare`.

        Raises:
            UserError: there is no such sweep, the folder cannot be written, or the store does not answer.
        """
        from sweeps.results.report import write

        with self._screen() as display, display.waiting(f"drawing the report of {self.name}"):
            other = None if against is None else against.record()
            return write(self.record(), self.storage, self.store.open(), output, other)

    def verify(
        self, *, repair: bool = False, looked_at: Callable[[int], None] = lambda trials: None
    ) -> "Verification":
        """Prove that no trial is lost, doubled or stuck and no epoch is missing or logged twice.

        Args:
            repair: bring MLflow to what storage holds first.
            looked_at: is given, now and then, the number of trials that were compared.

        Raises:
            RecordError: the tracking store does not answer, or ``repair`` while a driver works on the sweep.
        """
        from sweeps.results.verification import verified

        store = self.store.open(create=repair, reading=not repair)
        with self._screen():
            return verified(self.storage, store, repair=repair, looked_at=looked_at)

    def reproduce(
        self,
        trial: Trial | None = None,
        *,
        on_epoch: Callable[[int, int, bool], None] = lambda epoch, last, same: None,
    ) -> "Reproduction":
        """Train a trial again and compare: BITWISE, WITHIN_NOISE or DIVERGED; recorded as a run of its own.

        Args:
            trial: its run's id in MLflow, its name or its key; None takes the best run.
            on_epoch: is given each epoch that was trained, the last one's number, and whether it is the same.

        Raises:
            RecordError: there is no such trial, or its data are gone; nothing was trained.
        """
        from sweeps.results.reproduction import reproduce

        store = self.store.open()
        with self._screen():
            return reproduce(self.storage, store, trial, on_epoch=on_epoch)

    def bundle(self, out: Path | str, *, with_data: bool = False) -> "Bundled":
        """Write all of it into one new file, its data sets too if wished, for `sweeps.open_bundle`.

        Raises:
            UserError: a driver works on it, its files are not whole, or there is such a file already.
        """
        from sweeps.bundle import bundle

        return bundle(self.storage, Path(out), with_data=with_data)

    def _ended(self, work: Any, spec: "SweepSpec", *arguments: Any, **options: Any) -> "Sweep":
        """Do the work to its end, shown and told; the sweep itself, unless it was stopped."""
        with self._screen() as display, notified(self, spec.notify):
            self.result = work(spec, *arguments, **options, display=display)
        if self.result.outcome == "interrupted":
            raise Interrupted(self)
        return self
