"""A bucket whose answers are lost on the way: boto3 sends the write again."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.hand_made import planned
from support.servers.bucket_server import BUCKET, CREDENTIALS, bucket_server
from support.servers.lossy_proxy import LossyProxy, lossy_proxy
from tracking.errors import RecordError
from tracking.files import bucket, lease
from tracking.files.bucket import Bucket
from tracking.records.records import TrialState
from tracking.records.shapes import Attempt, SessionEntry
from tracking.storage.manifest import Decided
from tracking.storage.sweep import SweepStorage
from tracking.verification.mend import mend
from tracking.verification.storage import storage_faults


@pytest.fixture(scope="module")
def proxy() -> Iterator[LossyProxy]:
    with bucket_server() as address, lossy_proxy(address) as proxy:
        yield proxy


@pytest.fixture
def files(proxy: LossyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Bucket, "poll_seconds", 0.1)
    return Bucket(f"s3://{BUCKET}/{tmp_path.name}?endpoint_override={proxy.address}")


def created(files: Bucket) -> SweepStorage:
    storage = SweepStorage(files, "tiny")
    storage.create(Decided.of({"name": "tiny"}, [planned(1)], {"commit": "c0ffee"}))
    return storage


def test_a_write_whose_answer_was_lost_succeeded(files: Bucket, proxy: LossyProxy) -> None:
    before = proxy.puts
    proxy.lose = 1
    assert files.create("claim", b"1")
    assert (proxy.lose, proxy.puts - before) == (0, 2), "the write was not sent again"
    proxy.lose = 1
    assert not files.create("claim", b"1"), "the same bytes of another writer are not ours"


def test_a_conflict_is_tried_again(files: Bucket, proxy: LossyProxy) -> None:
    proxy.conflicts = 2
    assert files.create("claim", b"1")
    assert proxy.conflicts == 0
    proxy.conflicts = 1
    assert not files.create("claim", b"2")
    assert files.read("claim") == b"1"


def test_a_sweep_is_created_entered_and_begun_once(files: Bucket, proxy: LossyProxy) -> None:
    proxy.lose = 1
    storage = created(files)
    with pytest.raises(RecordError, match="the name tiny is taken"):
        created(files)
    key = storage.plan()[0].key
    proxy.lose = 1
    session = SessionEntry(started=1.0, heartbeat=1.0, ended=None, outcome=None, hostname="", pid=1)
    assert storage.create_session(1, session)
    assert not storage.create_session(1, session)
    proxy.lose = 1
    assert storage.trial(key).begin_attempt(Attempt(started=1.0)) == 1
    assert list(storage.trial(key).names()) == ["attempt-0001.json"]
    assert proxy.lose == 0


def lease_is_free(files: Bucket) -> bool:
    return files._take("lock", "somebody else") is not None


def test_a_lease_is_kept_when_an_answer_to_its_holder_was_lost(
    files: Bucket, proxy: LossyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SECONDS", 5.0)
    proxy.lose = 1  # the one that takes it
    with files.lock("lock"):
        assert proxy.lose == 0
        proxy.lose = 1  # the first that renews it
        end = time.monotonic() + 12
        while time.monotonic() < end:
            assert not lease_is_free(files)
            time.sleep(0.5)
        assert proxy.lose == 0
        proxy.lose = 1  # the one that gives it back
    assert lease_is_free(files)


def test_a_lease_is_given_back_after_a_conflict(files: Bucket, proxy: LossyProxy) -> None:
    with files.lock("lock"):
        proxy.conflicts = 2
    assert proxy.conflicts == 0
    assert lease_is_free(files)


def test_a_lease_that_was_deleted_or_taken_over_is_left_alone(
    files: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SECONDS", 0.6)
    died = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with files.lock("lock"):
        files.delete("lock")
        time.sleep(1.0)
        files.write("lock", b"another's")
        time.sleep(0.5)
    assert died == []
    assert files.read("lock") == b"another's"
    with files.lock("other"):
        files.delete("other")
    assert files.stamp("other") is None


def test_a_clock_that_is_wrong_takes_no_lease(files: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with files.lock("lock"):
        own_clock = SimpleNamespace(time=lambda: time.time() + 600, sleep=time.sleep)
        monkeypatch.setattr(bucket, "time", own_clock)
        assert not lease_is_free(files)


def test_an_object_without_bytes_is_a_torn_unit(files: Bucket) -> None:
    storage = created(files)
    key = storage.plan()[0].key
    storage.trial(key).begin_attempt(Attempt(started=1.0))
    for name in ("final.zip", "checkpoint-000000000010.zip", "outcome.json"):
        files.write(storage.trial(key).path(name), b"")
    assert storage.record().trials[0].state is TrialState.RUNNING
    assert (
        len([fault for fault in storage_faults(storage) if "torn" in fault.what or "JSON" in fault.what]) == 3
    )
    assert len(mend(storage)) == 3
    assert list(storage.trial(key).names()) == ["attempt-0001.json"]
