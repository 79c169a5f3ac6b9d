"""What people write to the runs of a sweep is no fault, and no repair loses it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hand_made import Sweep
from tracking.mlflow.mapping import Point
from tracking.runs.carry_over import NOTE, their_note
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify

OWN_TAGS = {NOTE: "look at this one", "team": "vision", "mlflow.runName": "my favourite"}
OWN_FILES = {
    "notes/why.txt": b"because",
    "mine.txt": b"1",
    "figures/mine.png": b"2",
    "model/notes.txt": b"3",
    "evaluation/more.npz": b"4",
    "provenance/where.txt": b"5",
    "test/mine": b"6",
}
OWN_POINTS = [Point("my/score", step, 1_700_000_000_000 + step, step / 7) for step in (1, 2, 3)]


@pytest.fixture
def written_to(finished: Sweep, store: RunStore) -> Sweep:
    """A recorded sweep; a person described, tagged and renamed its second run, and added values and files."""
    store.sync(finished.storage.record())
    run = run_of(store, finished)
    store.client.log(run, OWN_POINTS, {"reviewer": "me"}, OWN_TAGS)
    store.client.artifacts.upload(run, OWN_FILES)
    return finished


def run_of(store: RunStore, sweep: Sweep) -> str:
    found = store.trial_run_id("tiny", sweep.plan[1].key)
    assert found is not None
    return found


def change(database: Path, query: str) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute(query).rowcount > 0


def test_what_people_add_is_no_fault(written_to: Sweep, store: RunStore) -> None:
    assert verify(written_to.storage, store) == []


Damage = Callable[[RunStore, Path, str], None]


def metric_deleted(store: RunStore, database: Path, run: str) -> None:
    change(database, f"DELETE FROM metrics WHERE step=2 AND key='val/nll' AND run_uuid='{run}'")


def metric_doubled(store: RunStore, database: Path, run: str) -> None:
    columns = "key, value, run_uuid, is_nan, step"
    change(
        database,
        f"INSERT INTO metrics (timestamp, {columns}) SELECT timestamp + 1, {columns} FROM metrics"
        f" WHERE step=3 AND key='val/nll' AND run_uuid='{run}'",
    )


def thrown_away(store: RunStore, database: Path, run: str) -> None:
    store.client.delete(run)


def of_another_kind(store: RunStore, database: Path, run: str) -> None:
    store.client.log(run, tags={"sweeps.kind": "mine"})


def shown_value_deleted(store: RunStore, database: Path, run: str) -> None:
    change(database, f"DELETE FROM latest_metrics WHERE key='val/nll' AND run_uuid='{run}'")


def shown_value_altered(store: RunStore, database: Path, run: str) -> None:
    change(database, f"UPDATE latest_metrics SET value=1 WHERE key='val/nll_final' AND run_uuid='{run}'")


def data_set_altered(store: RunStore, database: Path, run: str) -> None:
    change(database, "UPDATE datasets SET digest='0123'")


def configuration_key_altered(store: RunStore, database: Path, run: str) -> None:
    store.client.log(run, tags={"sweeps.configuration_key": "x"})


def code_altered(store: RunStore, database: Path, run: str) -> None:
    store.client.artifacts.upload(run, {"provenance/code.json": b"{}"})


def start_altered(store: RunStore, database: Path, run: str) -> None:
    change(database, f"UPDATE runs SET start_time=start_time-1000 WHERE run_uuid='{run}'")


DAMAGES = [
    metric_deleted,
    metric_doubled,
    thrown_away,
    of_another_kind,
    shown_value_deleted,
    shown_value_altered,
    data_set_altered,
    configuration_key_altered,
    code_altered,
    start_altered,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_repair_keeps_what_people_wrote(
    written_to: Sweep, store: RunStore, database: Path, damage: Damage
) -> None:
    damage(store, database, run_of(store, written_to))
    assert verify(written_to.storage, store) != []
    repair_sweep(written_to.storage, store)
    assert verify(written_to.storage, store) == []
    run = store.client.run(run_of(store, written_to))
    assert {name: run.tags[name] for name in OWN_TAGS} == OWN_TAGS
    assert run.name == "my favourite"
    assert run.params["reviewer"] == "me"
    assert sorted(store.client.histories.of(run.id, "my/score")) == OWN_POINTS
    assert {path: store.client.artifacts.read(run.id, path) for path in OWN_FILES} == OWN_FILES


@pytest.mark.parametrize("damage", [thrown_away, of_another_kind, configuration_key_altered, code_altered])
def test_what_can_be_mended_in_place_keeps_its_run(
    written_to: Sweep, store: RunStore, database: Path, damage: Damage
) -> None:
    before = run_of(store, written_to)
    damage(store, database, before)
    repair_sweep(written_to.storage, store)
    assert verify(written_to.storage, store) == []
    assert run_of(store, written_to) == before


def test_a_doubled_run_gives_what_people_wrote_to_the_one_that_stays(
    written_to: Sweep, store: RunStore
) -> None:
    first = store.client.run(run_of(store, written_to))
    second = store.client.create_run(first.experiment_id, first.name, first.start + 1, first.tags)
    store.client.log(second.id, tags={"seen": "yes"})
    repair_sweep(written_to.storage, store)
    assert verify(written_to.storage, store) == []
    assert store.client.run(first.id).tags["seen"] == "yes"


def test_runs_of_a_deleted_sweep_of_the_same_name_stay_in_the_trash(
    finished: Sweep, store: RunStore, database: Path
) -> None:
    store.sync(finished.storage.record())
    run = run_of(store, finished)
    store.client.delete(run)
    change(database, f"UPDATE runs SET start_time=start_time-1 WHERE run_uuid='{run}'")
    repair_sweep(finished.storage, store)
    assert verify(finished.storage, store) == []
    assert run_of(store, finished) != run


@pytest.mark.parametrize(
    ("old", "published", "kept"),
    [
        (None, None, "new"),
        ("answer", "answer", "new"),
        ("mine\nanswer\nalso mine", "answer", "mine\nnew\nalso mine"),
        ("mine", None, "new\n\nmine"),
        ("mine", "answer", "new\n\nmine"),
        ("new\n\nmine", "answer", "new\n\nmine"),
    ],
)
def test_a_new_answer_keeps_what_stands_around_the_old(
    old: str | None, published: str | None, kept: str
) -> None:
    assert their_note(old, published, "new") == kept
