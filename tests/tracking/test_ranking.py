"""MLflow ranks a sweep by configurations: a run each, the answer at the sweep's run, views that show them."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
from scipy import stats

from sweeps.deletion import delete
from tracking.files.folder import Folder
from tracking.mlflow.client import Run
from tracking.publish import publish
from tracking.records.exclusive import machine_kind, shape_of
from tracking.records.shapes import ShapeProbe
from tracking.runs.views import FIRST_TABLE, PREFIX
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


@pytest.fixture
def storage(project: Path) -> SweepStorage:
    return SweepStorage(Folder(project / "storage"), "trained")


@pytest.fixture
def store(project: Path) -> RunStore:
    return RunStore(f"sqlite:///{project}/mlflow.db").open()


def configurations(store: RunStore) -> list[Run]:
    return store.client.runs({"sweeps.kind": "configuration", "sweeps.name": "trained"})


def test_a_configurations_run_is_its_row_of_the_table_to_the_digit(storage: SweepStorage, store: RunStore):
    text = storage.files.read(storage.path("report", FIRST_TABLE)).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    runs = {run.params["objective.num_samples"]: run for run in configurations(store)}
    assert len(rows) == len(runs) == 2
    for row in rows:
        run = runs[row["objective.num_samples"]]
        measured = [name for name in row if name == "seeds" or name.endswith(("_mean", "_low", "_high"))]
        assert run.metrics == {name: float(row[name]) for name in measured if row[name]}
        assert run.status == "FINISHED"


def test_a_search_for_trials_counts_none_twice(storage: SweepStorage, store: RunStore):
    assert {run.tags["sweeps.trial_key"] for run in store.trial_runs("trained")} == {
        trial.key for trial in storage.record().trials
    }
    assert len(store.trial_runs("trained")) == 4


def test_the_sweeps_run_has_the_best_mean_and_half_width(storage: SweepStorage, store: RunStore):
    finals = [
        [(trial.final or {})["val/nll_final"] for trial in trials]
        for trials in storage.record().configurations.values()
    ]
    best = min(finals, key=mean)
    parent = store.find_parent("trained")
    assert parent is not None
    half = stats.t.ppf(0.975, len(best) - 1) * stdev(best) / len(best) ** 0.5
    assert parent.metrics["best/val_nll_final"] == pytest.approx(mean(best), rel=1e-12)
    assert parent.metrics["best/val_nll_final_half_width"] == pytest.approx(half, rel=1e-9)
    assert parent.params["model.latent_dim"] == str(storage.record().trials[0].config.model.latent_dim)
    assert not {"objective.num_samples", "seed"} & set(parent.params)


def test_a_view_finds_its_runs_best_first(store: RunStore):
    parent = store.find_parent("trained")
    assert parent is not None
    saved = store.client.experiment_tags(parent.experiment_id)
    found = {}
    for view in ("trained-k-against-time", "trained-every-seed"):
        state = json.loads(json.loads(saved[PREFIX + view])["state"])
        order = [f"{state['orderByKey']} ASC"]
        runs = store.client.mlflow.search_runs([parent.experiment_id], state["searchFilter"], order_by=order)
        found[view] = [run.data.metrics for run in runs]
        shown = {column.partition(".")[2].strip("`") for column in state["selectedColumns"]}
        assert shown <= {name for run in runs for name in (*run.data.metrics, *run.data.params)}
    means = [metrics["val_nll_final_mean"] for metrics in found["trained-k-against-time"]]
    finals = [metrics["val/nll_final"] for metrics in found["trained-every-seed"]]
    assert (len(means), means) == (2, sorted(means))
    assert (len(finals), finals) == (4, sorted(finals))


def lost(store: RunStore, project: Path) -> None:
    store.client.delete(configurations(store)[0].id)


def doubled(store: RunStore, project: Path) -> None:
    run = configurations(store)[0]
    store.client.create_run(run.experiment_id, run.name, run.start + 1, run.tags)


def stale(store: RunStore, project: Path) -> None:
    run = configurations(store)[0]
    store.client.log_latest(run, {"val_nll_final_mean": 1.0}, {}, {})


def altered_param(store: RunStore, project: Path) -> None:
    run = configurations(store)[0]
    with sqlite3.connect(project / "mlflow.db") as connection:
        query = "UPDATE params SET value='7' WHERE key='objective.num_samples' AND run_uuid=?"
        assert connection.execute(query, (run.id,)).rowcount == 1


def stale_answer(store: RunStore, project: Path) -> None:
    parent = store.find_parent("trained")
    assert parent is not None
    store.client.log_latest(parent, {"best/val_nll_final": 1.0}, {}, {})


def lost_view(store: RunStore, project: Path) -> None:
    parent = store.find_parent("trained")
    assert parent is not None
    store.client.untag_experiment(parent.experiment_id, f"{PREFIX}trained-every-seed")


DAMAGES: list[tuple[Callable[[RunStore, Path], None], str]] = [
    (doubled, "is doubled"),
    (stale, "has val_nll_final_mean = 1.0: must be"),
    (stale_answer, "has best/val_nll_final = 1.0: must be"),
    (lost, "the configuration .* has no run"),
    (altered_param, "has objective.num_samples = 7: must be"),
    (lost_view, "the saved view trained-every-seed is gone"),
]


def test_what_mlflow_ranks_by_is_verified_and_mended(project: Path, storage: SweepStorage, store: RunStore):
    """Damages at once, of which each is found; they cost a repair together."""
    for first in (0, 3):
        for damage, _ in DAMAGES[first : first + 3]:
            damage(store, project)
        found = [fault.what for fault in verify(storage, store)]
        for damage, words in DAMAGES[first : first + 3]:
            assert [what for what in found if re.search(words, what)], (damage.__name__, found)
        repair_sweep(storage, store)
        assert verify(storage, store) == []
        assert len(configurations(store)) == 2


def test_publishing_again_writes_nothing(project: Path, storage: SweepStorage, store: RunStore):
    before = [(run.id, run.metrics, run.tags) for run in configurations(store)]
    with sqlite3.connect(project / "mlflow.db") as connection:
        points = connection.execute("SELECT COUNT(*) FROM metrics").fetchone()
    publish(storage.record(), storage, store)
    assert [(run.id, run.metrics, run.tags) for run in configurations(store)] == before
    with sqlite3.connect(project / "mlflow.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchone() == points


def test_seconds_alone_are_at_every_run_once_the_steps_were_probed(storage: SweepStorage, store: RunStore):
    trials = storage.record().trials
    seconds = {shape_of(trial.config): 0.001 * trial.config.objective.num_samples for trial in trials}
    storage.add_probes(
        ShapeProbe(
            shape=shape,
            machine=machine_kind(trials[0].provenance),
            steps_per_epoch=7,
            step_seconds=one,
            low=one / 1.02,
            high=one * 1.02,
            rounds=5,
        )
        for shape, one in seconds.items()
    )
    publish(storage.record(), storage, store)
    epochs = trials[0].config.num_epochs
    for trial in trials:
        run = store.client.run(store.trial_run_id("trained", trial.key) or "")
        expected = epochs * 7 * seconds[shape_of(trial.config)]
        assert run.metrics["time/train_seconds_exclusive"] == pytest.approx(expected)
    for run in configurations(store):
        expected = epochs * 7 * 0.001 * int(run.params["objective.num_samples"])
        assert run.metrics["train_seconds_exclusive_mean"] == pytest.approx(expected)
    assert verify(storage, store) == []
    store.client.log_latest(store.trial_runs("trained")[0], {"time/train_seconds_exclusive": 1.0}, {}, {})
    assert any("train_seconds_exclusive = 1.0: must be" in fault.what for fault in verify(storage, store))
    repair_sweep(storage, store)
    assert verify(storage, store) == []


def test_a_deleted_sweep_leaves_neither_runs_nor_views(storage: SweepStorage, store: RunStore):
    parent = store.find_parent("trained")
    assert parent is not None
    delete(storage, store, print)
    assert store.client.runs({"sweeps.name": "trained"}) == []
    assert not [
        name for name in store.client.experiment_tags(parent.experiment_id) if name.startswith(PREFIX)
    ]
