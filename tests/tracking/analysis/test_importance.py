import numpy as np
import pytest

from tracking.analysis.configurations import tables
from tracking.analysis.importance.fanova import INTERACTIONS
from tracking.analysis.importance.importance import chance, chance_of_all, importance
from tracking.statistics.factorial import Factorial

KS, DS = (1, 5, 20, 50), (5, 10, 20)
K_EFFECT, D_EFFECT = np.array([-1.5, -0.5, 0.5, 1.5])[:, None], np.array([-1.0, 0.0, 1.0])[None, :]
NOTHING = np.zeros((4, 3))


def grid(make, truth, noise=0.1, seeds=3):
    rng = np.random.default_rng(0)
    return tables(
        make.record(
            [
                make.trial(
                    {"objective.num_samples": k, "model.latent_dim": d},
                    seed,
                    final={"val/nll_final": 90 + truth[i, j] + noise * rng.normal()},
                )
                for i, k in enumerate(KS)
                for j, d in enumerate(DS)
                for seed in range(seeds)
            ]
        )
    )[0]


def test_additive_effects_have_the_shares_of_their_variances(make):
    found = importance(grid(make, K_EFFECT + D_EFFECT, noise=0.01))
    assert found.grid
    assert list(found.shares) == ["K", "D", "K × D"]
    assert found.shares["K"].value == pytest.approx(1.25 / (1.25 + 2 / 3), abs=0.01)
    assert found.shares["K × D"].value == pytest.approx(0.0, abs=0.01)


def test_a_pure_interaction_is_called_one(make):
    found = importance(grid(make, K_EFFECT * D_EFFECT))
    assert next(iter(found.shares)) == "K × D"
    assert found.shares["K × D"].low > 0.9
    assert found.shares["D"].value < 0.05


def test_noise_alone_has_no_importances(make):
    found = importance(grid(make, NOTHING))
    assert found.shares == {}
    assert "nothing is separable" in found.reason


def test_one_seed_cannot_tell_effects_from_noise(make):
    assert "one seed per configuration" in importance(grid(make, K_EFFECT + D_EFFECT, seeds=1)).reason


def test_configurations_that_are_no_grid_are_given_to_a_forest(make):
    rng = np.random.default_rng(1)
    trials = [
        make.trial(
            {"model.latent_dim": d, "batch_size": batch},
            seed,
            final={"val/nll_final": 100 - d / 2 + rng.normal() / 10},
        )
        for d, batch in zip(range(5, 45, 2), rng.permutation(range(50, 150, 5)).tolist(), strict=True)
        for seed in range(2)
    ]
    found = importance(tables(make.record(trials))[0])
    assert not found.grid
    assert set(found.shares) == {"D", "batch_size", INTERACTIONS}
    assert next(iter(found.shares)) == "D"
    assert found.shares["D"].value > 0.5
    assert sum(share.value for share in found.shares.values()) == pytest.approx(1.0)
    assert {(share.low, share.high) for share in found.shares.values()} == {(None, None)}


def test_one_varied_parameter_has_nothing_to_be_weighed_against(make):
    found = importance(tables(make.sweep(make.ks(*range(1, 13)), seeds=(0,)))[0])
    assert (found.shares, found.reason[:14]) == ({}, "only K is vari")


def test_few_configurations_are_said_to_be_too_few(make):
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 5) for d in (5, 10)]
    assert "4 complete configurations are too few" in importance(tables(make.sweep(points))[0]).reason


def test_equal_nlls_have_no_importances(make):
    found = importance(grid(make, NOTHING, noise=0.0))
    assert "have the same mean" in found.reason


def test_parameters_of_some_parts_only_are_left_out_by_name(make):
    parts = [{"name": "none"}, {"name": "linear", "warmup_epochs": 3}, {"name": "linear", "warmup_epochs": 9}]
    points = [{"objective.num_samples": k, "annealing": part} for k in (1, 5, 20, 50) for part in parts]
    found = importance(tables(make.sweep(points))[0])
    assert found.left_out == ("warmup_epochs",)
    assert {"K", "annealing"} <= set(found.shares)


def test_the_permutation_test_holds_its_level_with_two_seeds():
    rng = np.random.default_rng(0)
    p_values = [chance(rng.normal(size=(12, 2)).tolist()) for _ in range(200)]
    rejected = np.mean(np.array(p_values) < 0.05)
    assert rejected <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)
    assert rejected > 0


@pytest.mark.parametrize("seeds", [2, 5])
def test_one_unsteady_configuration_does_not_make_parameters_important(seeds):
    rng, spreads = np.random.default_rng(0), np.r_[10.0, np.ones(11)]
    p_values = [chance_of_all((spreads[:, None] * rng.normal(size=(12, seeds))).tolist()) for _ in range(100)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_intervals_of_a_grids_shares_cover_the_true_ones(seeds, noise):
    truth = K_EFFECT + 0.5 * D_EFFECT + 0.5 * K_EFFECT * D_EFFECT
    parts = np.array([1.25, 1 / 6, 0.25 * 1.25 * 2 / 3])
    shares = dict(zip([(0,), (1,), (0, 1)], parts / parts.sum(), strict=True))
    rng, repeats = np.random.default_rng(seeds), 120
    covered = []
    for _ in range(repeats):
        values = truth[..., None] + noise * rng.normal(size=(*truth.shape, seeds))
        variance = values.var(axis=-1, ddof=1).mean() / seeds
        found = Factorial(values.mean(axis=-1), float(variance), truth.size * (seeds - 1)).shares()
        covered += [found[axes].low <= share <= found[axes].high for axes, share in shares.items()]
    assert np.mean(covered) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / repeats)
