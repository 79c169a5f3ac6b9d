"""A sweep that is handed on: copied with its folder, or put into one file, it is whole where it arrives."""

import shutil
import urllib.request
from pathlib import Path

import pytest

import sweeps
from iwae.errors import UserError
from support.trained import train_sweep
from sweeps.cli.ui import mlflow_server
from tracking.publish import publish
from tracking.store import RunStore

pytestmark = pytest.mark.service


def opened(project: Path) -> sweeps.Sweep:
    return sweeps.open(
        "trained",
        storage=project / "sweeps-storage",
        tracking_uri=f"sqlite:///{project}/mlflow.db",
        show=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("made") / "project"
    project.mkdir()
    storage = train_sweep(project / "sweeps-storage")
    publish(storage.record(), storage, RunStore(f"sqlite:///{project}/mlflow.db").open(create=True))
    return project


def test_the_pages_of_a_copy_show_the_files_of_the_copy(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    store = opened(copy).store.open()
    parent = store.find_sweep("trained")
    (file,) = copy.glob(f"mlartifacts/{parent}/artifacts/report/tradeoff.csv")
    file.write_text("of the copy")
    with mlflow_server(store.connection_uri, 0) as (_, address, token):
        page = f"{address}/get-artifact?path=report/tradeoff.csv&run_uuid={parent}"
        request = urllib.request.Request(page, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            assert answer.read() == b"of the copy"


def test_a_bundle_is_verified_and_reproduced_on_a_bare_machine(project: Path, tmp_path: Path) -> None:
    first = opened(project)
    bundle = first.bundle(tmp_path / "trained.zip").path
    place = {"storage": tmp_path / "storage", "tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    sweep = sweeps.open_bundle(bundle, **place, show=False)  # type: ignore[arg-type]
    assert sweep.verify().ok
    assert sweep.trials == first.trials
    result = sweep.reproduce()
    assert result.verdict == "BITWISE"
    assert result.source["record"].startswith(f"{tmp_path}/storage/trained/trials/")
    with pytest.raises(UserError, match="the name trained is taken in sqlite"):
        sweeps.open_bundle(bundle, **place, show=False)  # type: ignore[arg-type]
    other = {**place, "tracking_uri": f"sqlite:///{tmp_path}/other.db"}
    with pytest.raises(UserError, match=f"the name trained is taken in {tmp_path}/storage"):
        sweeps.open_bundle(bundle, **other, show=False)  # type: ignore[arg-type]
    # Storage alone, and the cure that the message names.
    with pytest.raises(UserError, match="`sweeps verify NAME --repair` makes it again"):
        sweeps.open("trained", **other, show=False).verify()  # type: ignore[arg-type]
    assert sweeps.open("trained", **other, show=False).verify(repair=True).ok  # type: ignore[arg-type]
