import subprocess
import sys
from pathlib import Path

import pytest

from tracking.addresses.uris import resolve_tracking_uri
from tracking.errors import RecordError
from tracking.store import RunStore


def test_reading_makes_no_store(tmp_path: Path):
    with pytest.raises(RecordError, match=r"no tracking store at .*mlflow\.db: `sweeps run` makes one"):
        RunStore(f"sqlite:///{tmp_path}/mlflow.db").find_sweep("tiny")
    assert list(tmp_path.iterdir()) == []


def test_first_writers_that_race_make_one_whole_database(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = f"from tracking.store import RunStore; RunStore({uri!r}).open(create=True)"
    writers = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=900)
        assert writer.returncode == 0, errors.decode()
    assert RunStore(uri).open().list_sweeps() == []
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}


def test_a_server_that_is_away_is_told_before_mlflows_client_asks_again_and_again():
    with pytest.raises(RecordError, match=r"no tracking server at http://127\.0\.0\.1:9: Connection refused"):
        RunStore("http://127.0.0.1:9").open(create=True)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"this is text, and longer than the header of a database" * 40)
    with pytest.raises(RecordError, match="file is not a database") as caught:
        RunStore(f"sqlite:///{path}").open()
    assert "\n" not in str(caught.value)


def test_importing_the_store_loads_no_mlflow():
    code = "import sys, tracking.store, tracking.provenance.provenance; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tracking_uris_mean_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_tracking_uri("sqlite:///runs/a.db") == f"sqlite:///{tmp_path}/runs/a.db"
    assert resolve_tracking_uri("http://127.0.0.1:5000/") == "http://127.0.0.1:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user@host/mlflow")
    assert resolve_tracking_uri() == "postgresql://user@host/mlflow"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("mlruns", "sqlite:///{here}/mlruns/mlflow.db"),
        ("./a.db", "sqlite:///{here}/a.db"),
        ("file:///tmp/mlruns", "sqlite:///path"),
        ("sqlite://", "sqlite:///path/to/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///path/to/mlflow.db"),
    ],
)
def test_stores_that_mlflow_does_not_write_are_refused(
    uri: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match=hint.format(here=tmp_path)):
        resolve_tracking_uri(uri)
