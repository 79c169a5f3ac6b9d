"""Report, answer and best model are what was published, or verify says so and --repair mends it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking.files.folder import Folder
from tracking.mlflow.models import LoggedModels
from tracking.publish import publish
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


def artifact(project: Path, pattern: str) -> Path:
    """The newest file of this name: a model that was replaced leaves its files."""
    return max((project / "mlartifacts").glob(pattern), key=lambda path: path.stat().st_ctime_ns)


def alter(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def report_page(project: Path, store: RunStore) -> None:
    artifact(project, "*/artifacts/report/index.html").unlink()


def report_table(project: Path, store: RunStore) -> None:
    alter(artifact(project, "*/artifacts/report/tradeoff.csv"))


def table_in_storage(project: Path, store: RunStore) -> None:
    alter(project / "storage" / "trained" / "report" / "tradeoff.csv")


def answer(project: Path, store: RunStore) -> None:
    with sqlite3.connect(project / "mlflow.db") as connection:
        query = "UPDATE tags SET value = replace(value, 'K', 'Z') WHERE key = 'mlflow.note.content'"
        assert connection.execute(query).rowcount > 0


def counts(project: Path, store: RunStore) -> None:
    store.client.log(store.find_sweep("trained") or "", tags={"sweeps.trials.COMPLETE": "400"})


def best_run(project: Path, store: RunStore) -> None:
    store.client.log(store.find_sweep("trained") or "", tags={"sweeps.best_run_id": "another"})


def model_weights(project: Path, store: RunStore) -> None:
    alter(artifact(project, "models/*/artifacts/data/model.safetensors"))


def model_code(project: Path, store: RunStore) -> None:
    alter(artifact(project, "models/*/artifacts/code/iwae/model/vae.py"))


def model_gone(project: Path, store: RunStore) -> None:
    for model in LoggedModels(store.client).find({"sweeps.name": "trained"}):
        LoggedModels(store.client).delete(model)


def figure_gone(project: Path, store: RunStore) -> None:
    artifact(project, "*/artifacts/figures/**/*.png").unlink()


def note_gone(project: Path, store: RunStore) -> None:
    (project / "storage" / "trained" / "report" / "published.json").unlink()
    model_weights(project, store)  # of which nothing says any more what they were


def note_altered(project: Path, store: RunStore) -> None:
    note = project / "storage" / "trained" / "report" / "published.json"
    note.write_text(note.read_text().replace('"summary": "', '"summary": "not ', 1))
    table_in_storage(project, store)


Damage = Callable[[Path, RunStore], None]
DAMAGES: list[tuple[Damage, str]] = [
    (report_page, "report/index.html"),
    (report_table, "report/tradeoff.csv"),
    (table_in_storage, "storage: report/tradeoff.csv is not what was published"),
    (answer, "does not hold the answer"),
    (counts, "sweeps.trials.COMPLETE = 400: must be 4"),
    (best_run, "sweeps.best_run_id = another"),
    (model_weights, "data/model.safetensors of the logged model"),
    (model_code, "code/iwae/model/vae.py of the logged model"),
    (model_gone, "is gone"),
    (figure_gone, "lacks the artifact figures/"),
    (note_gone, "report/published.json is missing"),
    (note_altered, "report/published.json is torn or was altered"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_what_was_published_is_compared_and_mended(
    project: Path,
    storage: SweepStorage,
    store: RunStore,
    damage: Callable[[Path, RunStore], None],
    words: str,
) -> None:
    assert verify(storage, store) == []
    damage(project, store)
    assert any(words in fault.what for fault in verify(storage, store))
    repair_sweep(storage, store)
    assert verify(storage, store) == []


def test_a_model_whose_note_is_gone_is_logged_again_as_it_was(
    project: Path, storage: SweepStorage, store: RunStore
) -> None:
    whole = artifact(project, "models/*/artifacts/data/model.safetensors").read_bytes()
    note_gone(project, store)
    repair_sweep(storage, store)
    assert verify(storage, store) == []
    assert artifact(project, "models/*/artifacts/data/model.safetensors").read_bytes() == whole


def test_a_report_keeps_what_people_wrote_to_the_description(storage: SweepStorage, store: RunStore) -> None:
    parent = store.find_sweep("trained") or ""
    answer = store.client.run(parent).tags["mlflow.note.content"]
    store.client.log(parent, tags={"mlflow.note.content": f"Mine: see this.\n\n{answer}"})
    assert verify(storage, store) == []
    publish(storage.record(), storage, store)
    assert store.client.run(parent).tags["mlflow.note.content"].startswith("Mine: see this.\n\n")
    assert verify(storage, store) == []
