"""All that the library does, on a small real sweep: digits, Ray, MLflow on SQLite. Run in an empty folder."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sweeps

SPEC: dict[str, Any] = {
    "name": "small",
    "base": {
        "data": {"name": "digits", "num_train": 200},
        "model": {"hidden_dims": [16], "latent_dim": 2},
        "batch_size": 50,
        "num_epochs": 4,
        "evaluation": {
            "num_samples": 5,
            "num_images": 50,
            "final_num_samples": 100,
            "final_num_images": 50,
            "few_num_samples": 5,
        },
    },
    "search": {"space": {"objective.num_samples": {"grid": [1, 5]}}, "seeds": [0]},
}


def main() -> None:
    assert not {"torch", "ray", "mlflow", "pandas"} & set(sys.modules)
    planned = sweeps.draw_plan(SPEC, set={"search.seeds": range(2)})
    assert [trial.config.seed for trial in planned] == [0, 0, 1, 1]

    with pytest.raises(ValueError, match=r"base\.num_epoch: unknown key"):
        sweeps.run(SPEC, set={"base.num_epoch": 2})

    sweep = sweeps.run(SPEC)
    assert sweep.result is not None
    assert sweep.result.outcome == "finished"
    assert sweep.status()["trials"] == {"COMPLETE": 2}

    tables(sweep)
    best(sweep)

    before = {trial.key: trial.history for trial in sweep.trials}
    sweep.extend({"search.seeds": [0, 1]})
    assert sweep.status()["trials"] == {"COMPLETE": 4}
    assert {trial.key: trial.history for trial in sweep.trials if trial.key in before} == before
    sweep.resume({"budget.wall_clock": "2h"})

    again = sweeps.open("small")
    assert again.result is None
    assert not again.stop()
    reproduced = again.reproduce()
    assert reproduced.verdict == "BITWISE", reproduced
    assert again.reproduce(reproduced.original_run_id).verdict == "BITWISE"
    assert again.reproduce(sweep.trials[0].plan.name).verdict == "BITWISE"
    of_run, key = sweeps.open_run(str(reproduced.original_run_id))
    assert (of_run.name, of_run.trial(key).key) == ("small", again.best().trial.key)
    assert again.verify().ok
    assert again.verify(repair=True).mended == ()

    report = again.report("copy")
    assert report.missing is None
    assert Path(report.address).read_text("utf-8") == report.page
    assert "<iframe srcdoc=" in report._repr_html_()
    assert "4 COMPLETE" in again._repr_html_()

    forked = again.fork(key, {"objective.num_samples": 2})
    assert forked.name == "small-fork-1"
    assert [trial.config.objective.num_samples for trial in forked.trials] == [2]
    for done in (forked, again):
        done.delete()
    assert not any(path.is_file() for path in Path("sweeps-storage").rglob("*"))


def tables(sweep: sweeps.Sweep) -> None:
    table, curves = sweep.table(), sweep.curves()
    assert list(table["objective.num_samples"]) == [1, 5]
    assert list(table["epochs"]) == [4, 4]
    assert len(curves) == 8
    # What MLflow says of the same runs, number for number.
    import mlflow

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    runs = mlflow.search_runs(experiment_names=["iwae-sweeps"]).set_index("tags.sweeps.trial_key")
    for _, row in table.iterrows():
        run = runs.loc[row["key"]]
        assert run["metrics.val/nll_final"] == row["val/nll_final"]
        assert run["metrics.test/nll"] == row["test/nll"]
        assert int(run["params.objective.num_samples"]) == row["objective.num_samples"]
        points = mlflow.MlflowClient().get_metric_history(run["run_id"], "train/bound")
        mine = curves[curves["key"] == row["key"]].set_index("epoch")["train/bound"].to_dict()
        assert {point.step: point.value for point in points} == mine


def best(sweep: sweeps.Sweep) -> None:
    table, best = sweep.table(), sweep.best()
    lowest = table.loc[table["val/nll_final"].idxmin()]
    assert (best.trial.key, best.val_nll_final) == (lowest["key"], lowest["val/nll_final"])
    assert best.configuration.seed == 0
    model = best.load()
    images = model.sample(3, seed=0)
    assert images.shape == (3, 64)
    binary = np.round(images)
    assert model.reconstruct(binary).shape == (3, 64)
    assert model.encode(binary).shape == (3, 2)
    few, many = (model.log_likelihood(binary, k) for k in (1, 1000))
    assert many.mean() > few.mean()  # the bound tightens with K
    assert sweep.load(best.trial.plan.name).sample(3, seed=0).tolist() == images.tolist()


if __name__ == "__main__":
    main()
