import math

import pytest

from iwae.errors import NonFiniteError
from tracking.analysis.configurations import tables
from tracking.analysis.trials.divergence import coin, divergence
from tracking.records.records import TrialState


def test_a_coin_for_each_pixel_costs_ln_2_nats(make):
    trial = make.trial({}, final={"test/nll": 80.0, "test/bits_per_dim": 80.0 / 784 / math.log(2)})
    assert coin(trial) == pytest.approx(784 * math.log(2))


@pytest.mark.parametrize(
    ("nll", "said"),
    [
        (90.0, ""),
        (543.0, ""),
        (544.0, "seed 0 has 544.00 nats, more than the 543.43 of a coin for each pixel"),
    ],
)
def test_worse_than_a_coin_has_diverged(make, nll, said):
    test = {"test/nll": 80.0, "test/bits_per_dim": 80.0 / 784 / math.log(2)}
    assert divergence([make.trial({}, final={"val/nll_final": nll, **test})]) == said


def test_a_density_knows_no_coin(make):
    base = {"data.binarization": "none", "model.likelihood": "gaussian"}
    assert divergence([make.trial({}, base=base, final={"val/nll_final": 9000.0})]) == ""


def test_a_seed_whose_loss_was_not_finite_counts_for_its_configuration(make):
    record = make.sweep(make.ks(1, 5), states={1: TrialState.FAILED})
    first, second = tables(record)[0].configurations
    assert (first.diverged, second.diverged) == (
        "seed 1 failed: NonFiniteError: loss became nan in epoch 5",
        "",
    )


@pytest.mark.parametrize(
    "error",
    ["out of memory with a batch of 1: RuntimeError: x", "DataError: /data/nan.npz is not there", "nan"],
)
def test_a_trial_that_failed_of_something_else_has_not_diverged(make, error):
    failed = make.trial({}, state=TrialState.FAILED)
    object.__setattr__(failed, "error", error)
    assert divergence([failed]) == ""


def test_the_trainers_own_error_is_known_whatever_it_says(make):
    failed = make.trial({}, state=TrialState.FAILED)
    object.__setattr__(failed, "error", f"{NonFiniteError.__name__}: in other words\n\ntraceback")
    assert divergence([failed]) == "seed 0 failed: NonFiniteError: in other words"
