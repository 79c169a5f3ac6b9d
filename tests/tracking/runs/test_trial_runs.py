import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as load_safetensors

from support.hand_made import EPOCHS, METRICS, STARTED, Sweep, history
from tracking.mlflow.client import Client, Run
from tracking.records.records import TrialState
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


def rows(database: Path, query: str, *values: object) -> list[tuple]:
    """Asks the database itself, not the code under test."""
    with sqlite3.connect(database) as connection:
        return connection.execute(query, values).fetchall()


def logged(database: Path) -> list[tuple]:
    query = "SELECT run_uuid, key, step, value, timestamp FROM metrics ORDER BY 1, 2, 3, 4, 5"
    return rows(database, query)


def test_a_trial_becomes_one_run_with_its_epochs_at_their_steps(
    finished: Sweep, store: RunStore, database: Path
):
    parent = store.sync(finished.storage.record())
    runs = {run.tags["sweeps.trial_key"]: run.id for run in store.trial_runs("tiny")}
    assert list(runs) == [trial.key for trial in finished.plan]
    run = runs[finished.plan[1].key]
    values = rows(
        database,
        "SELECT step, value, timestamp FROM metrics WHERE run_uuid=? AND key='val/nll' ORDER BY 1",
        run,
    )
    assert values == [
        (n, n + 0.1 * METRICS.index("val/nll") + 1 / 3, (STARTED + 2 * n) * 1000)
        for n in range(1, EPOCHS + 1)
    ]
    final = rows(database, "SELECT step, value FROM metrics WHERE run_uuid=? AND key='val/nll_final'", run)
    assert final == [(EPOCHS, 21.0)]
    tags = dict(rows(database, "SELECT key, value FROM tags WHERE run_uuid=?", run))
    assert tags["mlflow.parentRunId"] == parent
    assert tags["sweeps.kind"] == "trial"
    assert tags["sweeps.state"] == "COMPLETE"
    assert tags["timing.shared"] == "false"
    assert rows(database, "SELECT name, status, start_time, end_time FROM runs WHERE run_uuid=?", run) == [
        ("K=5 D=2 s0", "FINISHED", (STARTED + 1) * 1000, (STARTED + 60) * 1000)
    ]


def test_params_are_the_flattened_configuration_with_null_as_text(
    finished: Sweep, store: RunStore, database: Path
):
    store.sync(finished.storage.record())
    run = store.trial_run_id("tiny", finished.plan[2].key)
    params = dict(rows(database, "SELECT key, value FROM params WHERE run_uuid=?", run))
    assert params["objective.num_samples"] == "20"
    assert params["model.hidden_dims"] == "[8]"
    assert params["data.path"] == "null"
    assert params["data.name"] == "digits"
    assert params["seed"] == "0"


def test_a_sweep_that_ended_is_recorded_again_without_a_look_at_its_trials(
    begun: Sweep, store: RunStore, database: Path, monkeypatch: pytest.MonkeyPatch
):
    begun.close("interrupted")
    parent = store.sync(begun.storage.record())
    looks: list[str] = []
    search = Client.runs

    def runs(client: Client, tags: Mapping[str, str]) -> list[Run]:
        looks.append(tags["sweeps.kind"])
        return search(client, tags)

    monkeypatch.setattr(Client, "runs", runs)
    assert RunStore(store.tracking_uri).sync(begun.storage.record()) == parent
    assert looks == ["sweep"]
    begun.checkpoint(1, 3)
    RunStore(store.tracking_uri).sync(begun.storage.record())
    assert looks == ["sweep", "sweep", "trial"]
    run = store.trial_run_id("tiny", begun.plan[1].key)
    assert max(step for run_id, _, step, _, _ in logged(database) if run_id == run) == 3


def test_a_run_that_somebody_deleted_is_made_again_by_a_repair_alone(finished: Sweep, store: RunStore):
    store.sync(finished.storage.record())
    store.client.delete(store.trial_run_id("tiny", finished.plan[0].key) or "")
    RunStore(store.tracking_uri).sync(finished.storage.record())
    assert [fault.trial_key for fault in verify(finished.storage, store)] == [finished.plan[0].key]
    repair_sweep(finished.storage, RunStore(store.tracking_uri))
    assert verify(finished.storage, RunStore(store.tracking_uri)) == []


def test_syncing_again_adds_nothing(finished: Sweep, store: RunStore, database: Path):
    store.sync(finished.storage.record())
    once = logged(database)
    assert len(once) == 3 * (EPOCHS * len(METRICS) + 2)
    store.sync(finished.storage.record())
    RunStore(store.tracking_uri).open().sync(finished.storage.record())
    RunStore(store.tracking_uri).open().sync(finished.storage.record(), afresh=True)
    assert logged(database) == once
    assert rows(database, "SELECT count(*) FROM runs") == [(4,)]
    assert rows(database, "SELECT count(*) FROM datasets") == [(1,)]


def test_epochs_arrive_as_they_are_made(sweep: Sweep, store: RunStore, database: Path):
    sweep.begin(0)
    sweep.checkpoint(0, 2)
    store.sync(sweep.storage.record())
    assert max(step for _, _, step, _, _ in logged(database)) == 2
    assert rows(database, "SELECT status FROM runs WHERE name LIKE 'K=%'") == [("RUNNING",)]
    sweep.checkpoint(0, 3)
    RunStore(store.tracking_uri).sync(sweep.storage.record())
    steps = rows(database, "SELECT step FROM metrics WHERE key='train/bound' ORDER BY step")
    assert steps == [(1,), (2,), (3,)]


def test_a_trial_that_has_not_begun_has_no_run(sweep: Sweep, store: RunStore):
    store.sync(sweep.storage.record())
    assert store.trial_runs("tiny") == []
    assert store.find_sweep("tiny") is not None


@pytest.mark.parametrize(
    ("state", "status"),
    [(TrialState.PRUNED, "FINISHED"), (TrialState.STOPPED, "KILLED"), (TrialState.FAILED, "FAILED")],
)
def test_states_become_statuses(
    sweep: Sweep, store: RunStore, database: Path, state: TrialState, status: str
):
    sweep.begin(0)
    sweep.checkpoint(0, 1)
    sweep.storage.trial(sweep.plan[0].key).write_outcome(
        state, "NonFiniteError: train/bound became nan in epoch 2"
    )
    store.sync(sweep.storage.record())
    ((found, end),) = rows(database, "SELECT status, end_time FROM runs WHERE name LIKE 'K=%'")
    assert found == status
    assert end is not None


def test_the_error_of_a_failed_trial_is_an_artifact_until_another_attempt_begins(
    sweep: Sweep, store: RunStore
):
    sweep.begin(0)
    sweep.storage.trial(sweep.plan[0].key).write_outcome(
        TrialState.FAILED, "NonFiniteError: train/kl became inf in epoch 3"
    )
    store.sync(sweep.storage.record())
    (run,) = store.trial_runs("tiny")
    error = store.client.artifacts.read(run.id, "error.txt")
    assert error == b"NonFiniteError: train/kl became inf in epoch 3"
    sweep.begin(0)
    store.sync(sweep.storage.record())
    (run,) = store.trial_runs("tiny")
    assert run.status == "RUNNING"
    assert "error.txt" not in store.client.artifacts.files(run.id)
    assert "provenance/attempt-0002.json" in store.client.artifacts.files(run.id)
    assert run.tags["sweeps.attempts"] == "2"


def test_epochs_that_were_lost_and_trained_again_get_a_new_run(sweep: Sweep, store: RunStore, database: Path):
    sweep.begin(0)
    sweep.checkpoint(0, 3)
    store.sync(sweep.storage.record())
    (before,) = store.trial_runs("tiny")
    for path in sweep.trial_folder(0).glob("checkpoint-*"):
        path.unlink()
    sweep.begin(0)
    sweep.checkpoint(0, 2, offset=500)
    store.sync(sweep.storage.record())
    (after,) = store.trial_runs("tiny")
    assert after.id != before.id
    times = rows(
        database,
        "SELECT step, timestamp FROM metrics WHERE run_uuid=? AND key='val/nll' ORDER BY 1",
        after.id,
    )
    assert times == [(1, (STARTED + 502) * 1000), (2, (STARTED + 504) * 1000)]


def test_the_weights_are_the_bytes_of_storage(finished: Sweep, store: RunStore):
    store.sync(finished.storage.record())
    run = store.trial_run_id("tiny", finished.plan[1].key)
    content = store.client.artifacts.read(run, "model/model.safetensors")
    np.testing.assert_array_equal(load_safetensors(content)["w"], [1, 1, 1])
    assert {"config.yaml", "provenance/attempt-0001.json", "provenance/code.json"} <= set(
        store.client.artifacts.files(run)
    )


def test_the_data_set_is_the_input_of_a_run_by_its_content(finished: Sweep, store: RunStore, database: Path):
    store.sync(finished.storage.record())
    ((name, digest, profile),) = rows(database, "SELECT name, digest, dataset_profile FROM datasets")
    assert (name, digest) == ("digits", ("ab" * 32)[:36])
    assert json.loads(profile)["sha256"] == "ab" * 32
    assert all(run.datasets == [("digits", digest)] for run in store.trial_runs("tiny"))


def test_more_points_than_mlflow_takes_at_once_arrive_whole(sweep: Sweep, store: RunStore, database: Path):
    sweep.begin(0)
    sweep.checkpoint(0, 700)
    store.sync(sweep.storage.record())
    assert len(logged(database)) == 700 * len(METRICS)
    assert len(history(700)) == 700
