from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.factory import Factory
from tracking.analysis.analysis import Analysis, analyse
from tracking.analysis.configurations import tables
from tracking.records.records import EpochRecord
from tracking.report.words.answers.k import answer
from tracking.report.words.caveats import caveats
from tracking.report.words.details import details
from tracking.report.words.why import why

# Final NLL of every K; seeds differ by .01.
NLLS = {1: 90.2, 5: 90.0, 50: 91.5}
SECONDS = {1: 9.8, 5: 10.0, 50: 10.2}


def lasting(history: tuple[EpochRecord, ...], seconds: float) -> Iterator[EpochRecord]:
    for epoch in history:
        at = seconds * epoch.epoch / len(history)
        yield replace(epoch, metrics={**epoch.metrics, "time/train_seconds": at})


def equal_seconds(make: Factory, spread: float, seconds: dict[int, float] = SECONDS, **numbers) -> Analysis:
    trials = []
    for k, nll in NLLS.items():
        for seed, off in enumerate((-1.0, 0.0, 1.0)):
            final = {"val/nll_final": nll + off * spread} | {
                name.replace("__", "/"): values[k] * (1 + 0.01 * off) for name, values in numbers.items()
            }
            trial = make.trial({"objective.num_samples": k}, seed, final=final)
            trials.append(replace(trial, history=tuple(lasting(trial.history, seconds[k]))))
    record = make.record(trials)
    search = {**record.spec["search"], "equal_seconds": {"seconds": 10.0, "measured": []}}
    record = replace(record, spec={**record.spec, "search": search})
    (table,) = tables(record)
    found = analyse(table)
    assert not any("mid-schedule" in one for one in caveats(record, [found]))
    return found


def test_the_k_to_use_is_the_lowest_for_none_is_cheaper(make):
    first, planned = answer(equal_seconds(make, spread=0.01))[:2]
    assert first == (
        "At equal training time, use K = 5: it has the lowest validation NLL, separable from K = 1 and 50."
    )
    assert planned == (
        "Every K was planned to train for 10.0 s, with annealing and learning rate that end with it"
        " (K = 1: 10, K = 5: 10, K = 50: 10 epochs); measured: from 9.80 s to 10.2 s,"
        " at most 2 % from their mean."
    )


def test_what_is_not_separable_is_said_with_the_seeds_that_it_takes(make):
    said = answer(equal_seconds(make, spread=0.1))
    assert said[0].endswith("separable from K = 50 and not from K = 1.")
    assert said[2].startswith("K = 1 is 0.20 nats behind; ")
    assert said[2].endswith("more seeds would separate them.")
    none = equal_seconds(make, spread=5.0)
    assert none.recommendation is not None
    assert none.recommendation.chosen is None
    assert "these seeds cannot say which K to use" in answer(none)[0]


def test_seconds_that_did_not_come_out_equal_are_told(make):
    said = answer(equal_seconds(make, spread=0.01, seconds={1: 10.0, 5: 10.0, 50: 16.0}))
    assert "at most 33 % from their mean. That is not equal" in said[1]


def test_no_line_of_time_against_k_is_drawn_through_equal_seconds(make):
    found = equal_seconds(make, spread=0.01)
    assert (found.fits, found.adjusted) == ((), None)
    assert not any("Training time" in one or "After the same" in one for one in details(found))


def test_why_names_what_is_separable_and_nothing_else(make):
    found = equal_seconds(
        make,
        spread=0.01,
        test__active_units={1: 10.0, 5: 10.0, 50: 16.0},
        test__ess={1: 200.0, 5: 200.0, 50: 50.0},
        gradient__encoder_snr={1: 0.8, 5: 0.8, 50: 0.8},
    )
    (line,) = why(found)
    assert line.startswith("K = 50 against K = 1: it uses 6.")
    assert "more latent units of" in line
    assert "fits the posterior less closely (effective sample size ×0.25" in line
    assert "SNR" not in line


def test_why_says_that_nothing_is_separable(make):
    same = dict.fromkeys(NLLS, 10.0)
    found = equal_seconds(make, 0.01, test__active_units=same, test__ess=same, gradient__encoder_snr=same)
    assert why(found) == [
        "Active units, effective sample size and encoder SNR are not separable between these K's."
    ]


def test_one_seed_says_no_why(make):
    (table,) = tables(make.record([make.trial({"objective.num_samples": k}) for k in (1, 5)]))
    assert why(analyse(table)) == []


@pytest.fixture
def make() -> Factory:
    return Factory()
