import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as load_safetensors

from support.hand_made import EPOCHS, METRICS, STARTED, Sweep, history
from tracking.addresses.uris import resolve_tracking_uri
from tracking.errors import RecordError
from tracking.mlflow.client import Client, Run
from tracking.records.records import TrialState
from tracking.records.spec_hash import spec_sha256
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


def test_the_parent_holds_spec_plan_and_code(finished: Sweep, store: RunStore):
    record = finished.storage.record()
    parent = store.client.run(store.sync(record))
    assert parent.tags["sweeps.spec_sha256"] == spec_sha256(record.spec)
    assert parent.tags["sweeps.storage"] == finished.storage.files.uri
    assert (parent.name, parent.status, parent.end) == ("tiny", "FINISHED", (STARTED + 99) * 1000)
    plan = store.client.artifacts.read(parent.id, "plan.jsonl").decode().splitlines()
    assert [json.loads(line)["key"] for line in plan] == [trial.key for trial in finished.plan]
    assert store.client.artifacts.read(parent.id, "diff.patch") == b"--- a\n+++ b\n"


def test_a_resumed_sweep_is_running_again(finished: Sweep, store: RunStore):
    parent = store.sync(finished.storage.record())
    finished.storage.write_session(2, finished.session.model_copy(update={"started": STARTED + 200}))
    store.sync(finished.storage.record())
    assert store.client.run(parent).status == "RUNNING"


def test_a_name_taken_by_a_sweep_in_another_storage_is_refused(
    finished: Sweep, store: RunStore, tmp_path: Path
):
    store.sync(finished.storage.record())
    other = Sweep(tmp_path / "other")
    with pytest.raises(RecordError, match=r"the runs of tiny in sqlite:.* are those of the sweep in "):
        store.sync(other.storage.record())


def test_two_processes_that_sync_at_once_make_one_run_a_trial(finished: Sweep, store: RunStore):
    record = finished.storage.record()
    stores = [RunStore(store.tracking_uri).open() for _ in range(3)]
    threads = [threading.Thread(target=one.sync, args=(record,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.trial_runs("tiny")) == 3
    assert len(store.list_sweeps()) == 1


def test_a_locked_database_is_waited_for(finished: Sweep, store: RunStore, database: Path):
    lock = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(5.5, lock.execute, ("COMMIT",))  # longer than SQLite itself waits, 5 s
    release.start()
    store.sync(finished.storage.record())
    release.join()
    lock.close()
    assert len(store.trial_runs("tiny")) == 3


def test_queries_find_what_was_recorded(finished: Sweep, store: RunStore):
    parent = store.sync(finished.storage.record())
    key = finished.plan[0].key
    run = store.trial_run_id("tiny", key)
    assert store.find_sweep("tiny") == parent
    assert store.find_sweep("nothing") is None
    assert store.find_trial(run) == ("tiny", key, finished.storage.files.uri)
    assert [(s["name"], s["run_id"], s["status"]) for s in store.list_sweeps()] == [
        ("tiny", parent, "FINISHED")
    ]
    with pytest.raises(RecordError, match=f"run {parent} is not a trial of a sweep"):
        store.find_trial(parent)
    with pytest.raises(RecordError, match="no run 0123 in sqlite"):
        store.find_trial("0123")


def test_links_open_in_the_view_for_training_runs(finished: Sweep, store: RunStore):
    parent = store.sync(finished.storage.record())
    assert store.run_url(parent, "http://127.0.0.1:5000").endswith(
        f"/runs/{parent}?workflowType=machine_learning"
    )
    link = store.compare_url("tiny", "http://127.0.0.1:5000")
    assert link.startswith("http://127.0.0.1:5000/#/compare-runs?runs=%5B%22")
    assert all(run.id in link for run in store.trial_runs("tiny"))


def test_a_deleted_sweep_is_gone_and_its_name_is_free(finished: Sweep, store: RunStore):
    first = store.sync(finished.storage.record())
    assert store.delete_sweep("tiny") == (4, None)
    assert store.find_sweep("tiny") is None
    assert store.trial_runs("tiny") == []
    assert store.sync(finished.storage.record()) != first


def test_a_report_is_attached_to_the_parent(finished: Sweep, store: RunStore, tmp_path: Path):
    parent = store.sync(finished.storage.record())
    folder = tmp_path / "report"
    (folder / "png").mkdir(parents=True)
    (folder / "index.html").write_text("<p>report</p>")
    (folder / "png" / "k.png").write_bytes(b"png")
    store.attach_report(parent, folder, "# Summary\n")
    assert store.client.artifacts.read(parent, "report/index.html") == b"<p>report</p>"
    assert store.client.artifacts.read(parent, "report/png/k.png") == b"png"
    assert store.client.run(parent).tags["mlflow.note.content"] == "# Summary\n"


def test_more_points_than_mlflow_takes_at_once_arrive_whole(sweep: Sweep, store: RunStore, database: Path):
    sweep.begin(0)
    sweep.checkpoint(0, 700)
    store.sync(sweep.storage.record())
    assert len(logged(database)) == 700 * len(METRICS)
    assert len(history(700)) == 700


def test_a_thousand_unchanged_trials_cost_almost_nothing(tmp_path: Path, store: RunStore):
    sweep = Sweep(tmp_path / "many", ks=tuple(range(1, 21)))
    sweep.finish()
    record = sweep.storage.record()
    store.sync(record)
    started = time.process_time()
    for _ in range(50):
        store.sync(record)
    assert time.process_time() - started < 1.0


def test_reading_makes_no_store(tmp_path: Path):
    with pytest.raises(RecordError, match=r"no tracking store at .*mlflow\.db: `sweeps run` makes one"):
        RunStore(f"sqlite:///{tmp_path}/mlflow.db").find_sweep("tiny")
    assert list(tmp_path.iterdir()) == []


def test_first_writers_that_race_make_one_whole_database(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = f"from tracking.store import RunStore; RunStore({uri!r}).open(create=True)"
    writers = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=900)
        assert writer.returncode == 0, errors.decode()
    assert RunStore(uri).open().list_sweeps() == []
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}


def test_a_server_that_is_away_is_told_before_mlflows_client_asks_again_and_again():
    with pytest.raises(RecordError, match=r"no tracking server at http://127\.0\.0\.1:9: Connection refused"):
        RunStore("http://127.0.0.1:9").open(create=True)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"this is text, and longer than the header of a database" * 40)
    with pytest.raises(RecordError, match="file is not a database") as caught:
        RunStore(f"sqlite:///{path}").open()
    assert "\n" not in str(caught.value)


def test_importing_the_store_loads_no_mlflow():
    code = "import sys, tracking.store, tracking.provenance.provenance; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tracking_uris_mean_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_tracking_uri("sqlite:///runs/a.db") == f"sqlite:///{tmp_path}/runs/a.db"
    assert resolve_tracking_uri("http://127.0.0.1:5000/") == "http://127.0.0.1:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user@host/mlflow")
    assert resolve_tracking_uri() == "postgresql://user@host/mlflow"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("mlruns", "sqlite:///{here}/mlruns/mlflow.db"),
        ("./a.db", "sqlite:///{here}/a.db"),
        ("file:///tmp/mlruns", "sqlite:///path"),
        ("sqlite://", "sqlite:///path/to/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///path/to/mlflow.db"),
    ],
)
def test_stores_that_mlflow_does_not_write_are_refused(
    uri: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match=hint.format(here=tmp_path)):
        resolve_tracking_uri(uri)
