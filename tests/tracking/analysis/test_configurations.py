import pytest
import torch
from scipy import stats

from iwae.data.load import load_dataset
from tracking.analysis.configurations import tables
from tracking.analysis.strata import strata
from tracking.analysis.winner import best
from tracking.records.records import TrialState


def final(make, k, seed, val, test):
    return make.trial({"objective.num_samples": k}, seed, final={"val/nll_final": val, "test/nll": test})


def test_best_has_the_lowest_mean_validation_nll_whatever_test_says(make):
    numbers = ((1, 0, 90.0, 99.0), (1, 1, 92.0, 99.0), (5, 0, 91.4, 10.0), (5, 1, 91.6, 10.0))
    record = make.record([final(make, *row) for row in numbers])
    found = best(record)
    assert [trial.config.objective.num_samples for trial in found.configuration] == [1, 1]
    assert (found.val_nll_final, found.test_nll) == (91.0, 99.0)
    assert found.interval == pytest.approx(stats.t.interval(0.95, 1, 91.0, 1.0))


@pytest.mark.parametrize(("nlls", "median"), [((92.0, 90.0, 91.0), 91.0), ((93.0, 90.0, 91.0, 92.0), 91.0)])
def test_best_is_represented_by_its_lower_median_seed(make, nlls, median):
    found = best(make.record([final(make, 5, seed, nll, 90.0) for seed, nll in enumerate(nlls)]))
    assert found.trial.final["val/nll_final"] == median


def test_best_of_nothing_complete_is_nothing(make):
    record = make.sweep(make.ks(1, 5), states=dict.fromkeys(range(6), TrialState.RUNNING))
    assert best(record) is None


def test_unfinished_trials_stay_out_of_the_table(make):
    record = make.sweep(
        make.ks(1, 5), states={0: TrialState.PRUNED, 1: TrialState.FAILED, 5: TrialState.WAITING}
    )
    (table,) = tables(record)
    assert [(row.num_samples, len(row.trials), row.planned) for row in table.configurations] == [
        (1, 1, 3),
        (5, 2, 3),
    ]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("data.binarization", ("dynamic", "threshold")),
        ("data.num_validation", (5000, 10000)),
        ("data.name", ("mnist", "fashion-mnist")),
        ("evaluation.final_num_samples", (100, 5000)),
        ("evaluation.final_num_images", (1000, None)),
    ],
)
def test_what_was_measured_differently_never_shares_a_table(make, path, values):
    points = [{"objective.num_samples": k, path: value} for k in (1, 5) for value in values]
    found = tables(make.sweep(points, seeds=(0,)))
    assert [len(table.configurations) for table in found] == [2, 2]


def test_a_gaussian_density_never_shares_a_table_with_a_probability(make):
    data = {"data.name": "npz", "data.path": "x.npz", "data.binarization": "none"}
    points = [{"model.likelihood": name} for name in ("bernoulli", "gaussian")]
    assert len(tables(make.sweep(points, base=data))) == 2


def test_models_that_learned_from_fewer_images_are_measured_on_the_same_ones(make):
    points = [{"data.num_train": n} for n in (100, 500, None)]
    (table,) = tables(make.sweep(points, base={"data": {"name": "digits"}}))
    assert [row.parameters["data.num_train"] for row in table.configurations] == [100, 500, None]
    sets = [load_dataset(trial.config.data) for row in table.configurations for trial in row.trials[:1]]
    assert [len(one.train) for one in sets] == [100, 500, 1137]
    for one in sets[1:]:
        assert (torch.equal(one.validation, sets[0].validation), torch.equal(one.test, sets[0].test)) == (
            True,
            True,
        )


def test_seconds_per_epoch_are_training_seconds_over_epochs(make):
    (table,) = tables(make.sweep(make.ks(50), seeds=(0,)))
    (row,) = table.configurations
    assert row.mean("seconds_per_epoch") == pytest.approx(row.mean("train_seconds") / 10)


def test_a_metric_that_one_seed_lacks_is_averaged_over_the_others(make):
    trials = [
        make.trial({"objective.num_samples": 5}, seed, final={"gradient/encoder_snr": value})
        for seed, value in enumerate((0.2, 0.4, None))
    ]
    (row,) = tables(make.record(trials))[0].configurations
    assert (row.estimate("encoder_snr").mean, row.estimate("encoder_snr").count) == (pytest.approx(0.3), 2)


def test_whole_parts_become_their_leaves(make):
    parts = [{"name": "none"}, {"name": "linear", "warmup_epochs": 5}, {"name": "linear"}]
    (table,) = tables(make.sweep([{"annealing": part} for part in parts], seeds=(0,)))
    assert table.paths == ("annealing.name", "annealing.warmup_epochs")
    assert [dict(row.parameters) for row in table.configurations] == [
        {"annealing.name": "none"},
        {"annealing.name": "linear", "annealing.warmup_epochs": 5},
        {"annealing.name": "linear", "annealing.warmup_epochs": 10},  # the default that it trained with
    ]


def test_a_stratum_differs_in_k_alone(make):
    parts = [{"name": "none"}, {"name": "linear", "warmup_epochs": 5}]
    points = [
        {"objective.num_samples": k, "model.latent_dim": d, "annealing": part}
        for k in (50, 1)
        for d in (10, 20)
        for part in parts
    ]
    found = strata(tables(make.sweep(points, seeds=(0,)))[0])
    assert [stratum.num_samples for stratum in found] == [(1, 50)] * 4
    assert [stratum.label for stratum in found] == [
        "D = 10, no annealing",
        "D = 10, linear annealing",
        "D = 20, no annealing",
        "D = 20, linear annealing",
    ]
