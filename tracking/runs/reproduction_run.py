"""The run of a reproduction: its own epochs, its verdict, and a link to the original."""

import time
from dataclasses import replace

from tracking.mlflow import mapping as view
from tracking.mlflow.client import Client
from tracking.records.records import SweepRecord, TrialRecord, TrialState
from tracking.reproduction import Reproduction
from tracking.runs.trial_runs import batches


def log(
    client: Client, record: SweepRecord, trial: TrialRecord, original: str, result: Reproduction
) -> Reproduction:
    """Record a reproduction as a run beside the original; returns it with both ids.

    Args:
        client: an open tracking store.
        record: the sweep.
        trial: what was reproduced.
        original: the run of the trial.
        result: what came of it.
    """
    end = view.milliseconds(time.time())
    start = view.milliseconds(result.history[0].time) if result.history else end
    tags = {
        "sweeps.kind": "reproduction",
        "sweeps.name": record.name,
        "sweeps.trial_key": trial.key,
        "sweeps.original_run_id": original,
        "sweeps.verdict": result.verdict,
        "mlflow.note.content": f"**{result.verdict}**: {result.explanation}. Original: run `{original}`.",
    }
    experiment_id = client.run(original).experiment_id
    run = client.create_run(experiment_id, f"reproduction of {trial.plan.name}", start, tags)
    client.log(run.id, params=view.params(trial.config))
    for epochs in batches(result.history):
        client.log(run.id, view.epoch_points(epochs))
    again = TrialRecord(trial.plan, TrialState.COMPLETE, result.history, result.final, ended=end / 1000)
    client.log(run.id, view.final_points(again))
    result = replace(result, run_id=run.id, original_run_id=original)
    client.artifacts.upload(
        run.id,
        {
            "differences.json": view.pretty_json(result.to_dict()),
            "provenance/environment.json": view.pretty_json(result.environment),
            view.CONFIG: trial.config.to_yaml().encode(),
        },
    )
    client.end(run.id, "FINISHED", end)
    return result
