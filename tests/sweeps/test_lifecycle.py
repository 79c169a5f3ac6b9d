"""Sweeps that do not simply run to their end: a failed trial, a budget, more seeds, early stopping."""

from pathlib import Path

import pytest

from support.workplace import K_GRID, SPEC, Workplace

pytestmark = pytest.mark.service


def test_a_trial_with_nan_fails_alone(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.spec.write_text(SPEC.replace(K_GRID, "optimizer.lr: {grid: [1e-3, 1e30]}"))
    result = place.json("run", place.spec, code=1)
    assert result["trials"] == {"COMPLETE": 2, "FAILED": 2}
    errors = [trial.error for trial in place.storage().record().trials if trial.error]
    assert all("NonFiniteError" in error and "epoch 1" in error.splitlines()[0] for error in errors)
    assert place.json("verify", "small")["ok"]
    place.sweeps("resume", "small", code=1)
    assert [len(t.attempts) for t in place.storage().record().trials if t.error] == [1, 1]
    place.sweeps("resume", "small", "--retry-failed", code=1)
    assert [len(t.attempts) for t in place.storage().record().trials if t.error] == [2, 2]


def test_a_budget_ends_the_sweep_and_resume_goes_on(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    ended = place.sweeps("run", place.spec, "--set", "budget.wall_clock=1s")
    assert "the budget ended it" in ended.stdout
    assert "sweeps resume small" in ended.stdout
    assert place.json("resume", "small", "--set", "budget.wall_clock=null")["trials"] == {"COMPLETE": 4}


def test_extend_adds_seeds_and_keeps_what_is_done(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.sweeps("run", place.spec, "--set", "search.seeds=[0]")
    before = place.table()
    assert place.json("extend", "small", "--set", "search.seeds=[0, 1]")["trials"] == {"COMPLETE": 4}
    after = place.table()
    assert {key: after[key] for key in before} == before
    assert place.json("verify", "small")["ok"]
    refused = place.sweeps("resume", "small", "--set", "base.num_epochs=5", code=2)
    assert "base.num_epochs" in refused.stderr


def test_an_early_stopped_sweep_keeps_its_winners_final_evaluation(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    space = "objective.num_samples: {grid: [1, 2, 5, 10]}"
    place.spec.write_text(
        SPEC.replace(K_GRID, space) + "scheduler: {name: asha, grace_epochs: 1, reduction_factor: 2}\n"
    )
    result = place.json("run", place.spec)
    assert result["trials"]["COMPLETE"] >= 1
    assert result["trials"]["PRUNED"] >= 1
    pruned = [trial for trial in place.storage().record().trials if trial.state == "PRUNED"]
    assert all(1 <= len(trial.history) < 4 for trial in pruned)
    assert result["best"]["val_nll_final"] > 0
    assert place.json("verify", "small")["ok"]


def test_a_model_based_sampler_hears_the_mean_over_seeds(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.spec.write_text(
        SPEC.replace(
            "objective.num_samples: {grid: [1, 5]}", "optimizer.lr: {loguniform: [1e-4, 1e-2]}"
        ).replace("seeds: [0, 1]", "seeds: [0, 1]\n  num_trials: 4\n  sampler: {name: tpe, seed: 1}")
    )
    assert place.json("run", place.spec)["trials"] == {"COMPLETE": 8}
    rates = {trial.config.optimizer.lr for trial in place.storage().record().trials}
    assert len(rates) == 4
    assert place.json("verify", "small")["ok"]
