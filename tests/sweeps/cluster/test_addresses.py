"""Addresses where no cluster answers: one line in seconds, and what is here stays within reach."""

import json
import sys
from pathlib import Path

import pytest

from sweeps.cli.entry import main
from sweeps.machines.local_ray import check_resources
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import load_spec
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_a_cluster_that_is_not_there_is_told_before_ray_looks_for_it(address: str) -> None:
    with pytest.raises(RecordError, match=f"^no Ray cluster answers at {address}: Connection refused$"):
        check_resources(load_spec("quickstart"), address)


@pytest.mark.parametrize("address", ["head", "head:port", "http://head:8265", ":6379", "local"])
def test_an_address_that_is_none_names_what_one_looks_like(address: str) -> None:
    with pytest.raises(RecordError, match=r"^--address: \S+ is not allowed: must be auto or HOST:PORT, as"):
        check_resources(load_spec("quickstart"), address)


def test_the_cluster_of_the_environment_is_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(RecordError, match=r"^no Ray cluster answers at \S+:9: Connection refused$"):
        check_resources(load_spec("quickstart"), "auto")


@pytest.mark.parametrize("variable", ["RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"])
def test_a_dead_cluster_of_the_environment_does_not_hide_what_is_here(
    variable: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "MLFLOW_TRACKING_URI", "SWEEPS_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    spec = load_spec("quickstart")
    SweepStorage(Folder(tmp_path / "sweeps-storage"), "quickstart").create(
        Decided.of(spec.to_dict(), draw_plan(spec), {})
    )

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["sweeps", *words])
        with pytest.raises(SystemExit) as exit_:
            main()
        shown = capsys.readouterr()
        assert exit_.value.code == code, shown.err
        assert "no cluster at http://127.0.0.1:9: Connection refused" in shown.err
        return shown.out

    assert [row["name"] for row in json.loads(run("list", "--json"))["sweeps"]] == ["quickstart"]
    assert json.loads(run("status", "quickstart", "--json"))["trials"] == {"WAITING": 24}
    run("stop", "quickstart")
    run("stop", "elsewhere", code=2)
    assert run("logs", "quickstart") == ""  # no driver has begun
    run("logs", "elsewhere", code=2)
    run("list", "--cluster", "http://127.0.0.1:9", code=2)
    run("stop", "quickstart", "--cluster", "http://127.0.0.1:9", code=2)
