"""Budgets of hours, and what a sweep has held of them."""

from pathlib import Path

import pytest

from iwae.errors import ConfigError
from support.workplace import Workplace
from sweeps.spec.spec import SweepSpec

pytestmark = pytest.mark.service


def test_cpu_hours_end_a_sweep_and_more_of_them_let_it_go_on(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    long = ("--set", "base.num_epochs=400", "--set", "base.evaluation.every=100")
    ended = place.sweeps("run", place.spec, *long, "--set", "budget.cpu_hours=0.002")
    assert "the budget ended it" in ended.stdout
    record = place.storage().record()
    assert len(record.complete) < 4
    assert record.cpu_hours >= 0.002
    used = place.json("status", "small")
    assert used["cpu_hours"] == pytest.approx(record.cpu_hours)
    assert used["gpu_hours"] == 0
    refused = place.sweeps("resume", "small", code=2)
    assert refused.stderr.count("\n") == 1
    assert "budget.cpu_hours: 0.002 is not allowed: must be more than the 0.0" in refused.stderr
    result = place.json("resume", "small", "--set", "budget.cpu_hours=10")
    assert result["trials"] == {"COMPLETE": 4}
    assert place.json("verify", "small")["ok"]


def test_gpu_hours_without_gpus_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"budget\.gpu_hours: 1\.0 is not allowed: must be null when"):
        SweepSpec.parse({"name": "x", "search": {"space": {}}, "budget": {"gpu_hours": 1.0}})
