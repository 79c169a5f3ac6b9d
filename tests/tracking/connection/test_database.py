"""A database is looked at before MLflow opens it: nothing that is another program's is written to."""

import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from tracking.addresses import uris
from tracking.errors import RecordError
from tracking.store import RunStore

ODD_NAMES = ["a%41b", "q?mark", "h#ash", "sp ace é", "50% off"]


def needs_quotes(name: str) -> bool:
    return "?" in name or "%4" in name


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_default_store_lies_in_the_current_folder_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if needs_quotes(name) and sqlalchemy.__version__.startswith("2.0"):
        pytest.skip("SQLAlchemy 2.0 has no way to write such a path")
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uri = uris.resolve_tracking_uri()
    assert uris.resolve_tracking_uri(uri) == uri
    assert uris.sqlite_path(uri) == folder / "mlflow.db"
    assert sqlalchemy.make_url(uri).database == str(folder / "mlflow.db")
    assert uris.artifact_root(uri) == (folder / "mlartifacts").as_uri()


def test_database_and_artifacts_end_in_a_folder_whose_name_means_something_in_addresses(
    empty_database: Path, tmp_path: Path
):
    folder = tmp_path / ("a%41 #ü" if sqlalchemy.__version__.startswith("2.0") else "a%41?b #ü")
    folder.mkdir()
    path = folder / "mlflow.db"
    path.write_bytes(empty_database.read_bytes())
    store = RunStore(uris.sqlite_uri(path)).open()
    client = store.client
    run = client.create_run(
        store.client.create_experiment("e", uris.artifact_root(store.connection_uri)).id,
        "x",
        1,
        {"sweeps.name": "tiny"},
    )
    client.artifacts.upload(run.id, {"a/b.txt": b"here"})
    assert client.artifacts.read(run.id, "a/b.txt") == b"here"
    assert [file.read_bytes() for file in (folder / "mlartifacts").rglob("b.txt")] == [b"here"]
    assert [found.name for found in tmp_path.iterdir()] == [folder.name]


def test_each_way_to_write_a_database_gives_one_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    paths = ["mlflow.db", "./sub/../mlflow.db", f"{tmp_path}/link/mlflow.db", f"{tmp_path}//mlflow.db"]
    assert {uris.resolve_tracking_uri(f"sqlite:///{path}") for path in paths} == {
        f"sqlite:///{tmp_path}/mlflow.db"
    }


@pytest.mark.parametrize(
    ("uri", "fix"),
    [
        ("sqlite:////tmp", "must be sqlite:///path/to/mlflow.db (/tmp is a folder)"),
        ("sqlite:///~nouser_of_this_name/x.db", "must be a path"),
        ("sqlite:////tmp/q?mark/mlflow.db", "must have %3F"),
        ("sqlite:///file:/tmp/x.db?uri=true", "must be sqlite:///path/to/mlflow.db"),
        ("sqlite:///" + "x" * 300, "must be a file (File name too long)"),
        ("sqlite:////dev/null", "must be a regular file or a new one"),
        ("sqlite:////dev/null/mlflow.db", "must be a file to write in (File exists)"),
    ],
)
def test_what_is_no_database_is_one_line(uri: str, fix: str):
    with pytest.raises(RecordError, match=r"^tracking URI: ") as told:
        RunStore(uri).open(create=True)
    assert fix in str(told.value)


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.db").symlink_to("/dev/null")
    before = Path("/dev/null").stat()
    for name in ("pipe", "link.db"):
        for create in (False, True):
            with pytest.raises(RecordError, match="must be a regular file or a new one"):
                RunStore(f"sqlite:///{tmp_path / name}").open(create=create)
    assert (tmp_path / "pipe").is_fifo()
    assert Path("/dev/null").stat().st_rdev == before.st_rdev
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("create", [False, True])
def test_another_programs_database_is_left_as_it_is(create: bool, tmp_path: Path):
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(
        RecordError, match=r"photos\.db: is another program's database \(its tables: photos\)"
    ):
        RunStore(f"sqlite:///{path}").open(create=create)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["photos.db"]


def test_a_text_file_is_no_database(tmp_path: Path):
    path = tmp_path / "notes.db"
    path.write_text("to do\n" * 100)
    with pytest.raises(RecordError, match=r"notes\.db: file is not a database"):
        RunStore(f"sqlite:///{path}").open(create=True)
    assert path.read_text() == "to do\n" * 100


@pytest.mark.parametrize(
    ("revision", "fix"),
    [("451aebb31d03", "older MLflow: .*mlflow db upgrade sqlite:///"), ("ffffffffffff", "by a newer MLflow")],
)
def test_a_store_of_another_mlflow_is_told_and_not_altered(revision: str, fix: str, database: Path):
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    before = database.read_bytes()
    with pytest.raises(RecordError, match=fix):
        RunStore(f"sqlite:///{database}").open()
    assert database.read_bytes() == before


def test_opening_a_store_to_read_writes_nothing(database: Path):
    before = database.read_bytes()
    store = RunStore(f"sqlite:///{database}").open()
    assert store.list_sweeps() == []
    assert database.read_bytes() == before
    assert not database.with_name("mlartifacts").exists()
