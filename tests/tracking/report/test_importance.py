import pytest

from tracking.report.importance import importance
from tracking.report.tables import tables


def trial(make, nll, seed=0, **parameters):
    return make.trial(
        {path.replace("__", "."): v for path, v in parameters.items()}, seed, final={"val/nll_final": nll}
    )


def test_the_parameter_that_moves_the_nll_has_the_larger_share(make):
    trials = [
        trial(make, 100 - d / 2 + batch / 1000, model__latent_dim=d, batch_size=batch)
        for d in (5, 10, 20, 40)
        for batch in (50, 100, 200)
    ]
    found = importance(tables(make.record(trials))[0])
    assert list(found.shares) == ["D", "batch_size"]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["D"] > 0.9


def test_one_varied_parameter_has_nothing_to_be_weighed_against(make):
    found = importance(tables(make.sweep(make.ks(*range(1, 13)), seeds=(0,)))[0])
    assert (found.shares, found.reason[:14]) == ({}, "only K is vari")


def test_few_configurations_are_said_to_be_too_few(make):
    points = [{"objective.num_samples": k, "model.latent_dim": d} for k in (1, 5) for d in (5, 10)]
    assert "4 complete configurations are too few" in importance(tables(make.sweep(points))[0]).reason


def test_equal_nlls_have_no_importances(make):
    trials = [
        trial(make, 90.0, model__latent_dim=d, batch_size=b) for d in (5, 10, 20, 40) for b in (50, 100, 200)
    ]
    assert "same validation NLL" in importance(tables(make.record(trials))[0]).reason


def test_parameters_of_some_parts_only_are_left_out_by_name(make):
    parts = [{"name": "none"}, {"name": "linear", "warmup_epochs": 3}, {"name": "linear", "warmup_epochs": 9}]
    points = [{"objective.num_samples": k, "annealing": part} for k in (1, 5, 20, 50) for part in parts]
    found = importance(tables(make.sweep(points, seeds=(0,)))[0])
    assert found.left_out == ("warmup_epochs",)
    assert set(found.shares) == {"K", "annealing"}
