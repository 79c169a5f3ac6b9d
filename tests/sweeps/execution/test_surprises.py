from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iwae.errors import DataError
from sweeps.execution.data_sets import surprises
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec

GAUSSIAN = {"likelihood": "gaussian"}


def surprises_of(path: Path, rows: np.ndarray, *, binarization: str, model: dict[str, Any]) -> list[str]:
    np.savez(path, train=rows[:60], test=rows[60:])
    base = {"data": {"name": "npz", "path": str(path), "binarization": binarization}, "model": model}
    spec = SweepSpec.parse({"name": "a", "base": base, "search": {"space": {}}})
    return surprises(draw_plan(spec), spec)


def test_a_plan_tells_what_a_run_would_of_the_users_own_data(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(90, 3))
    assert surprises_of(tmp_path / "a.npz", rows, binarization="none", model=GAUSSIAN) == []
    rows[60:, 1] += 100
    rows[70] = rows[3]
    told = surprises_of(tmp_path / "a.npz", rows, binarization="none", model=GAUSSIAN)
    assert [" are also training items" in told[0], "have another range" in told[1]] == [True, True]
    with pytest.raises(
        DataError, match=r"binarization: dynamic is not allowed: must be none, .*a.npz has floats"
    ):
        surprises_of(tmp_path / "a.npz", rows, binarization="dynamic", model={})
    with pytest.raises(DataError, match="likelihood: bernoulli is not allowed: must be gaussian"):
        surprises_of(tmp_path / "a.npz", rows, binarization="none", model={})


def test_a_plan_reads_no_set_that_has_no_surprises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iwae.data.load.load_dataset", lambda *_, **__: pytest.fail("was read"))
    spec = SweepSpec.parse({"name": "a", "base": {"data": {"name": "mnist"}}, "search": {"space": {}}})
    assert surprises(draw_plan(spec), spec) == []
