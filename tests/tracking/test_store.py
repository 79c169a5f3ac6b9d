import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from support.hand_made import STARTED, Sweep
from tracking.connection.run_deletion import delete_runs
from tracking.errors import RecordError
from tracking.records.planned import spec_sha256
from tracking.store import RunStore


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
    link = store.view_url("tiny", "http://127.0.0.1:5000", charts=True)
    assert link == (
        "http://127.0.0.1:5000/#/experiments/1/runs"
        "?viewStateShareKey=tiny-k-against-time&workflowType=machine_learning&compareRunsMode=CHART"
    )


def test_a_deleted_sweep_is_gone_and_its_name_is_free(finished: Sweep, store: RunStore):
    first = store.sync(finished.storage.record())
    assert delete_runs(store.client, "tiny") == (4, None)
    store.forget("tiny")
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


def test_a_thousand_unchanged_trials_cost_almost_nothing(tmp_path: Path, store: RunStore):
    sweep = Sweep(tmp_path / "many", ks=tuple(range(1, 21)))
    sweep.finish()
    record = sweep.storage.record()
    store.sync(record)
    started = time.process_time()
    for _ in range(50):
        store.sync(record)
    assert time.process_time() - started < 1.0
