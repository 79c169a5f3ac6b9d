"""Fewer samples than a ranking needs, when a sweep is extended."""

from types import SimpleNamespace
from typing import Any

import pytest

from iwae.errors import ConfigError
from sweeps.changes import extended
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import load_spec

LARGER_K = ["search.space.objective.num_samples.grid=[1, 5, 20, 50, 800]"]


def begun(few: int = 0) -> Any:
    """The storage of a sweep that began, as an older version let it, with so many final samples."""
    document = load_spec("quickstart").to_dict()
    if few:
        document["base"]["evaluation"] |= {"final_num_samples": few, "few_num_samples": few}
    spec = load_spec("quickstart").parse(document)
    return SimpleNamespace(name="quickstart", spec=spec.to_dict, plan=lambda: draw_plan(spec))


def test_a_k_too_large_for_the_final_samples_is_not_added() -> None:
    with pytest.raises(ConfigError, match="must be >= 1600 to rank trials with K up to 800"):
        extended(begun(), LARGER_K)


def test_a_sweep_that_never_ranked_can_be_extended_as_before() -> None:
    _, plan = extended(begun(few=1), LARGER_K)
    assert len(plan) == 30
