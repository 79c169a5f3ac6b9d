"""Two sweeps against each other: what is joined, what is refused, how seldom a difference is imagined."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.simulations.two_sweeps import false_separations
from scipy import stats

from support.factory import Factory
from tracking.analysis.two_sweeps.comparison import compare_sweeps
from tracking.errors import RecordError
from tracking.records.records import SweepRecord
from tracking.report.report import write_report
from tracking.report.words.two_sweeps import remarks, verdict_sentences
from tracking.statistics.comparisons import OWN_SHARE, POOLED_SHARE, common_spread
from tracking.statistics.step_down import step_down

PAIRS = 100
MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / PAIRS)


def better_by(record: SweepRecord, nats: float, **more: object) -> SweepRecord:
    trials = tuple(
        replace(
            trial, final={**(trial.final or {}), "val/nll_final": (trial.final or {})["val/nll_final"] - nats}
        )
        for trial in record.trials
    )
    return replace(record, name="after", trials=trials, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spread", "seeds"), [("equal", 2), ("equal", 3), ("equal", 5), ("1 to 10, B × 5", 3)]
)
def test_sweeps_that_do_not_differ_are_seldom_said_to(spread: str, seeds: int) -> None:
    assert false_separations(PAIRS, spread, seeds) / PAIRS <= MOST


def test_a_difference_that_seeds_show_is_found_and_named(make: Factory) -> None:
    before = make.sweep(make.ks(1, 5, 50))
    found = compare_sweeps(before, better_by(before, 2.0))
    assert [row.validation.value for row in found.rows] == pytest.approx([-2.0] * 3)
    assert all(row.validation.separable for row in found.rows)
    assert verdict_sentences(found) == ["B has a lower (better) validation NLL at K = 1, K = 5 and K = 50."]
    assert [row.slower.value for row in found.rows if row.slower] == pytest.approx([0.0] * 3)


def test_only_what_both_have_is_joined_and_the_rest_is_named(make: Factory) -> None:
    found = compare_sweeps(make.sweep(make.ks(1, 5, 20)), make.sweep(make.ks(5, 20, 50), name="after"))
    assert [row.name for row in found.rows] == ["K = 5", "K = 20"]
    assert [line for line in remarks(found) if line.startswith("Only")] == [
        "Only in A: K=1 D=20.",
        "Only in B: K=50 D=20.",
    ]


def test_a_setting_that_one_sweep_varies_joins_where_the_other_has_its_value(make: Factory) -> None:
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 5) for d in (10, 20)]
    found = compare_sweeps(make.sweep(points), make.sweep(make.ks(1, 5), name="after"))
    assert {row.first.parameters["model.latent_dim"] for row in found.rows} == {20}
    assert len(found.rows) == 2


def test_what_else_differs_is_named(make: Factory) -> None:
    before = make.sweep(make.ks(1, 5), base={"optimizer": {"lr": 1e-3}})
    after = make.sweep(make.ks(1, 5), base={"optimizer": {"lr": 3e-3}}, name="after")
    found = compare_sweeps(
        replace(before, code={"commit": "a" * 40}), replace(after, code={"commit": "b" * 40})
    )
    assert ("optimizer.lr", "0.001", "0.003") in found.joined.differs
    assert ("code", "aaaaaaaaa", "bbbbbbbbb") in found.joined.differs
    assert "optimizer.lr (0.001 → 0.003)" in " ".join(remarks(found))


def test_another_commit_with_the_same_sources_is_the_same_code(make: Factory) -> None:
    before = replace(make.sweep(make.ks(1, 5)), code={"commit": "a" * 40, "sources": {"sha256": "c" * 64}})
    after = replace(before, code={"commit": "b" * 40, "sources": {"sha256": "c" * 64}})
    assert compare_sweeps(before, after).joined.differs == ()


@pytest.mark.parametrize(
    ("base", "what"),
    [
        ({"data": {"name": "digits"}}, "data.name is mnist in k-tradeoff and digits in after"),
        (
            {"data": {"binarization": "fixed"}},
            "data.binarization is dynamic in k-tradeoff and fixed in after",
        ),
        ({"evaluation": {"final_num_samples": 400}}, "evaluation.final_num_samples is "),
    ],
)
def test_another_yardstick_is_refused_and_the_part_named(
    make: Factory, base: dict[str, object], what: str
) -> None:
    with pytest.raises(RecordError, match=what) as refused:
        compare_sweeps(make.sweep(make.ks(1, 5)), make.sweep(make.ks(1, 5), base=base, name="after"))
    assert "\n" not in str(refused.value)


def test_nothing_in_common_and_nothing_complete_are_refused(make: Factory) -> None:
    with pytest.raises(RecordError, match="no configuration in common: they vary K"):
        compare_sweeps(make.sweep(make.ks(1, 5)), make.sweep(make.ks(20, 50)))
    with pytest.raises(RecordError, match="k-tradeoff has no complete trial yet"):
        compare_sweeps(make.record([]), make.sweep(make.ks(1)))


def test_one_training_seen_twice_is_told(make: Factory) -> None:
    record = make.sweep(make.ks(1, 5))
    found = compare_sweeps(record, record)
    assert found.copies == 6
    assert "6 trials ended with the same bits in both" in " ".join(remarks(found))
    assert not any(row.validation.separable for row in found.rows)


def test_one_seed_gives_no_interval(make: Factory) -> None:
    found = compare_sweeps(make.sweep(make.ks(1, 5), seeds=(0,)), make.sweep(make.ks(1, 5), seeds=(1,)))
    assert [row.validation.low for row in found.rows] == [None, None]
    assert "needs two seeds in each sweep" in verdict_sentences(found)[0]


def test_steps_are_those_of_holm() -> None:
    """Where no spread stands out: what Holm's procedure rejects by a pooled t-test and own spreads allow."""
    rng, tables, found_in = np.random.default_rng(7), 0, 0
    while tables < 30:
        shifts = rng.uniform(0, 3.5, size=6)
        groups = [(shift + rng.normal(size=8)).tolist() for shift in (*np.zeros(6), *shifts)]
        spread = common_spread(groups)
        assert spread is not None
        if spread.unsteady > 1 or spread.degrees < 12 * 7:
            continue
        tables += 1
        variances = [np.var(group, ddof=1) for group in groups]
        values = np.array([np.mean(groups[6 + i]) - np.mean(groups[i]) for i in range(6)])
        p = 2 * stats.t.sf(np.abs(values) / math.sqrt(np.mean(variances) / 4), 12 * 7)
        rejected: set[int] = set()
        for rank, index in enumerate(np.argsort(p)):
            if p[index] > 0.05 * POOLED_SHARE / (6 - rank):
                break
            rejected.add(int(index))
        own = stats.t.ppf(1 - 0.05 * OWN_SHARE / 2, 7)
        halves = [own * math.sqrt((variances[i] + variances[6 + i]) / 8) for i in range(6)]
        allowed = {i for i in range(6) if abs(values[i]) > halves[i]}
        found = step_down(groups, [(i, 6 + i) for i in range(6)])
        assert {i for i, one in enumerate(found) if one.separable} == rejected & allowed
        found_in += bool(rejected & allowed)
    assert found_in > 20


def test_a_report_has_a_section_on_another_sweep(make: Factory, tmp_path: Path) -> None:
    before = make.sweep(make.ks(1, 5, 50), name="before")
    after = better_by(before, 2.0)
    write_report(after, tmp_path, {}, against=compare_sweeps(before, after))
    page = (tmp_path / "index.html").read_text()
    assert "How does it compare with before?" in page
    assert "A is before, B is this sweep." in page
    assert "B has a lower (better) validation NLL at K = 1, K = 5 and K = 50." in page
    write_report(after, tmp_path, {})
    assert "How does it compare" not in (tmp_path / "index.html").read_text()
