"""The number of importance samples in the headline."""

from typing import Any

import pytest

from tracking.analysis.analysis import Analysis, analyse
from tracking.analysis.configurations import tables
from tracking.analysis.order import flips
from tracking.report.words.headline import headline
from tracking.report.words.samples import too_few, turned_round


def analysed(make: Any, *finals: tuple[int, float, float], mc_error: float = 0.02, **base: int) -> Analysis:
    """Configurations of (K, NLL at few, NLL at the final number of samples), two seeds each."""
    trials = [
        make.trial(
            {"objective.num_samples": k},
            seed,
            index=2 * i + seed,
            base={f"evaluation.{name}": value for name, value in base.items()},
            final={"val/nll_final_few": few, "val/nll_final": final, "val/nll_final_mc_error": mc_error},
        )
        for i, (k, few, final) in enumerate(finals)
        for seed in (0, 1)
    ]
    (table,) = tables(make.record(trials))
    return analyse(table)


def test_an_order_that_turns_round_is_in_the_headline(make: Any) -> None:
    analysis = analysed(make, (1, 91.0, 90.0), (20, 92.0, 88.0), (50, 93.0, 89.9))
    (words,) = (words for words in headline(analysis) if "depends on the number" in words)
    assert words.startswith("The order of 2 of 3 pairs of configurations depends")
    assert "at 100 samples K=1 D=20 is ahead of K=20 D=20 by 1.00 nats, at 5,000 it is 2.00 behind" in words


def test_an_order_that_stays_is_not_mentioned(make: Any) -> None:
    assert turned_round(analysed(make, (1, 91.0, 90.0), (20, 90.5, 88.0))) == []


@pytest.mark.parametrize(("mc_error", "found"), [(0.001, 1), (0.2, 0)])
def test_an_order_that_turns_within_the_noise_of_the_samples_is_none(
    make: Any, mc_error: float, found: int
) -> None:
    analysis = analysed(make, (1, 90.0, 90.1), (5, 90.1, 90.0), mc_error=mc_error)
    assert len(flips(analysis.table)) == found


def test_a_sweep_below_the_floor_is_said_to_rank_nothing(make: Any) -> None:
    few = {"final_num_samples": 1, "few_num_samples": 1}
    first = headline(analysed(make, (1, 90.0, 90.0), (20, 91.0, 91.0), **few))[0]
    assert first.startswith("These NLLs cannot rank configurations: −L at 1 importance sample is a training")
    assert "With K up to 20 a ranking needs at least 100 samples" in first
    enough = {"final_num_samples": 100, "few_num_samples": 1}
    assert too_few(analysed(make, (1, 91.0, 91.0), (50, 90.0, 90.0), **enough)) == []
