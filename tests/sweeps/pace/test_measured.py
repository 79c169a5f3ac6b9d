"""What an epoch takes is measured in a worker, and the plan keeps it."""

from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.service


def test_a_sweep_at_equal_seconds_is_extended_at_the_same_seconds_and_verified(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    grid = "search.space.objective.num_samples.grid"
    place.sweeps(
        "run", place.spec, "--equal-seconds", "--set", f"{grid}=[1, 50]", "--set", "search.seeds=[0]"
    )
    spec = place.storage().spec()["search"]["equal_seconds"]
    fast, slow = sorted(one["seconds"] for one in spec["measured"])
    first, last = place.storage().record().trials
    assert last.config.num_epochs == len(last.history) == round(spec["seconds"] / slow)
    assert first.config.num_epochs == len(first.history) == round(spec["seconds"] / fast) > len(last.history)
    more = ("--set", "search.seeds=[0, 1]", "--set", f"{grid}=[1, 20, 50]")
    assert place.json("extend", "small", *more)["trials"] == {"COMPLETE": 6}
    again = place.storage()
    assert again.spec()["search"]["equal_seconds"] == spec
    assert {first.key, last.key} < {trial.key for trial in again.record().trials}
    assert place.json("verify", "small")["ok"]
