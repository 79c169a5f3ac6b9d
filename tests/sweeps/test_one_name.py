"""Two sweeps of one name that are started at once, in storages of their own, into one tracking store."""

from pathlib import Path

import pytest

from support.workplace import Workplace
from tracking.store import RunStore

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_of_two_runs_of_a_name_at_once_one_trains_and_the_other_says_why_not(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    RunStore(f"sqlite:///{tmp_path}/mlflow.db").open(create=True)
    begun = {
        storage: place.start(
            "run", place.spec, "--storage", storage, "--set", "search.seeds=[0]", "--set", "base.num_epochs=1"
        )
        for storage in ("one", "two")
    }
    ended = {
        storage: (*process.communicate(timeout=900), process.returncode) for storage, process in begun.items()
    }
    assert sorted(code for _, _, code in ended.values()) == [0, 2], ended
    winner, loser = sorted(ended, key=lambda storage: ended[storage][2])
    (line,) = [line for line in ended[loser][1].splitlines() if line.startswith("error: ")]
    assert "name: small is not allowed: must be new in" in line
    assert f"where it is the sweep in {tmp_path}/{winner}: choose another --name" in line
    assert [path for path in (tmp_path / loser).rglob("*") if path.is_file()] == []
    assert place.json("verify", "small", "--storage", winner)["ok"]
    refused = place.sweeps("delete", "small", "--yes", "--storage", f"{loser}/../{loser}/", code=2)
    assert f"has it in {tmp_path}/{winner}; nothing was deleted" in refused.stderr
    place.sweeps("delete", "small", "--yes", "--storage", f"{loser}/../{winner}/")
    assert [path for path in (tmp_path / winner).rglob("*") if path.is_file()] == []
    refused = place.sweeps("verify", "small", "--storage", winner, code=2)
    assert "no sweep small" in refused.stderr
