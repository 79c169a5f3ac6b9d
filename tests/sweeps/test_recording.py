"""Where a sweep, its fork and its report are recorded, and what is said where that failed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from iwae.config import yaml
from iwae.errors import ConfigError
from support.workplace import SPEC
from sweeps.cli.entry import main
from sweeps.execution.recording import record_in
from sweeps.plan.plan import draw_plan
from sweeps.result import SweepResult
from sweeps.screen.results import show_result
from sweeps.spec.spec import SweepSpec
from sweeps.sweep import Sweep
from tracking import publish as publication
from tracking.connection.run_deletion import delete_runs
from tracking.errors import RefusedError
from tracking.files.folder import Folder
from tracking.records.records import TrialState
from tracking.records.shapes import Attempt
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


@dataclass
class Recorded:
    """A sweep whose first trial failed, recorded in the experiment ``mine``."""

    storage: SweepStorage
    store: RunStore
    run_id: str

    def spec(self, experiment: str) -> SweepSpec:
        return SweepSpec.parse({**self.storage.spec(), "tracking": {"experiment": experiment}})


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    RunStore(f"sqlite:///{path}").open(create=True)
    return path


@pytest.fixture
def recorded(tmp_path: Path, database: Path) -> Recorded:
    (tmp_path / "mlflow.db").write_bytes(database.read_bytes())
    spec = SweepSpec.parse({**yaml.load(SPEC), "tracking": {"experiment": "mine"}})
    storage = SweepStorage(Folder(tmp_path / "storage"), spec.name)
    plan = draw_plan(spec)
    storage.create(Decided.of(spec.to_dict(), plan, {"packages": {}}))
    storage.trial(plan[0].key).begin_attempt(Attempt(started=1.7e9, provenance={}))
    storage.trial(plan[0].key).write_outcome(TrialState.FAILED, "TrainingError: because")
    store = RunStore(f"sqlite:///{tmp_path}/mlflow.db", "mine").open()
    store.sync(storage.record())
    return Recorded(storage, store, store.trial_runs(spec.name)[0].id)


def fork_of(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> SweepSpec:
    """The spec that `fork` starts, with a store that knows of no experiment, as the command's."""
    started: list[SweepSpec] = []
    monkeypatch.setattr(Sweep, "run", lambda sweep, spec, **__: started.append(spec))
    store = RunStore(recorded.store.connection_uri).open()
    trial = recorded.storage.plan()[0].key
    Sweep(recorded.storage, lambda: store).fork(trial)
    return started[0]


def test_a_fork_goes_to_the_experiment_of_its_source(recorded: Recorded, monkeypatch: pytest.MonkeyPatch):
    assert fork_of(recorded, monkeypatch).tracking.experiment == "mine"


def test_a_fork_follows_the_runs_where_the_experiment_was_renamed(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
):
    there = recorded.store.experiment_of("small")
    recorded.store.client.mlflow.rename_experiment(there.id, "renamed")
    assert fork_of(recorded, monkeypatch).tracking.experiment == "renamed"


def test_a_sweep_with_runs_cannot_change_its_experiment(recorded: Recorded):
    with pytest.raises(ConfigError, match=r"tracking.experiment: other is not allowed: must be mine, where"):
        record_in(recorded.spec("other"), recorded.storage, recorded.store)
    assert recorded.store.client.experiment("other") is None


def test_a_sweep_without_runs_takes_its_new_experiment_at_once(recorded: Recorded):
    delete_runs(recorded.store.client, "small")
    recorded.store.forget("small")
    record_in(recorded.spec("other"), recorded.storage, recorded.store)
    recorded.store.sync(recorded.storage.record())
    assert recorded.store.experiment_of("small").name == "other"
    assert {run.experiment_id for run in recorded.store.trial_runs("small")} == {
        recorded.store.experiment_of("small").id
    }


def test_a_sweep_whose_runs_are_elsewhere_than_its_spec_says_goes_on_there(recorded: Recorded):
    """So an older version left its forks."""
    recorded.storage.write_spec(recorded.spec("said").to_dict())
    record_in(recorded.spec("said"), recorded.storage, recorded.store)
    run_ids = {run.experiment_id for run in recorded.store.trial_runs("small")}
    recorded.store.sync(recorded.storage.record(), afresh=True)
    assert {run.experiment_id for run in recorded.store.trial_runs("small")} == run_ids
    assert recorded.store.client.experiment("said") is None


def result(recorded: Recorded, untold: str | None) -> Any:
    return SweepResult(recorded.storage.record(), "finished", 1.0, None, None, None, untold)


def test_an_incomplete_record_is_said_with_its_cure(recorded: Recorded, capsys: pytest.CaptureFixture[str]):
    show_result(result(recorded, "disk full"), Console(width=200))
    said = capsys.readouterr().out
    assert "MLflow lacks something of it: disk full" in said
    assert "sweeps verify small --repair" in said
    assert "was away" not in said


def test_an_incomplete_record_is_a_failure(recorded: Recorded):
    recorded.storage.trial(recorded.storage.plan()[0].key).clear_outcome()
    assert not result(recorded, None).failed
    assert result(recorded, "disk full").failed


def report(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int | str | None:
    """The exit code of `sweeps report` on the recorded sweep."""
    places = ["--storage", f"{folder}/storage", "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    monkeypatch.setattr(sys, "argv", ["sweeps", "report", "small", *places, *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


@pytest.mark.parametrize("folder", ["x" * 300, "/dev/null/x", "mlflow.db"])
def test_a_folder_that_takes_no_report_is_refused_before_anything_is_drawn(
    folder: str,
    recorded: Recorded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert report(monkeypatch, tmp_path, "--output", folder) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --output: ")
    assert "is not allowed: must be a folder to write in (" in line
    assert len(line) < 300
    assert not Path(recorded.storage.uri, "report").exists()


def test_a_report_that_mlflow_refuses_is_written_and_is_a_failure(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(*_: object) -> None:
        raise RefusedError("the artifact root cannot be written: Read-only file system")

    monkeypatch.setattr(publication, "publish", refuse)
    assert report(monkeypatch, tmp_path, "--output", f"{tmp_path}/mine") == 1
    shown = capsys.readouterr()
    assert shown.out == f"{tmp_path}/mine/index.html\n"
    assert "does not have the report: the artifact root cannot be written" in shown.err
    assert "`sweeps report small`" in shown.err
    for folder in (Path(recorded.storage.uri, "report"), tmp_path / "mine"):
        assert (folder / "index.html").is_file()
