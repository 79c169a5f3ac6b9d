"""What holds of files holds in a folder and in a bucket."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.servers.bucket_server import BUCKET, CREDENTIALS, bucket_server
from tracking.errors import StorageError
from tracking.files import lease
from tracking.files.bucket import Bucket
from tracking.files.files import Files
from tracking.files.folder import Folder


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with bucket_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    if request.param == "folder":
        return Folder(tmp_path / "storage")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    endpoint = request.getfixturevalue("endpoint")
    return Bucket(f"s3://{BUCKET}/{tmp_path.name}?endpoint_override={endpoint}")


def test_what_is_written_is_read(files: Files) -> None:
    files.write("a/b.json", b"1")
    files.write("a/b.json", b"22", durable=False)
    assert files.read("a/b.json") == b"22"
    with files.open("a/b.json") as file:
        assert file.read() == b"22"


def test_what_is_not_there_is_not_found(files: Files) -> None:
    for read in (files.read, files.open):
        with pytest.raises(FileNotFoundError):
            read("a/none")
    assert files.stamp("a/none") is None
    assert files.entries("a") == {}
    assert files.names("a") == []
    files.delete("a/none")
    files.delete_all(["a/none"])
    files.tidy("a")


def test_entries_are_every_file_below_and_no_other(files: Files) -> None:
    for path in ("s/x", "s/t/y", "s/t/u/z", "other/x", "st/x"):
        files.write(path, b"12")
    assert list(files.entries("s")) == ["t/u/z", "t/y", "x"]
    assert files.names("") == ["other", "s", "st"]
    assert files.names("s") == ["t"]
    files.delete("s/x")
    files.delete_all(["s/t/y", "s/t/u/z"])
    files.tidy("s")
    assert files.entries("s") == {}
    assert files.read("st/x") == b"12"


def test_a_stamp_changes_with_the_content(files: Files) -> None:
    files.write("a", b"1")
    before = files.stamp("a")
    files.write("a", b"2")
    after = files.stamp("a")
    assert before is not None
    assert after is not None
    assert before != after
    assert after.size == 1
    assert abs(after.changed - time.time()) < 60


def test_of_many_who_create_a_file_one_succeeds(files: Files) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: files.create("claim", str(n).encode()), range(8)))
    assert won.count(True) == 1
    assert files.read("claim") == str(won.index(True)).encode()
    assert not files.create("claim", b"late")


def test_parts_of_a_large_file_are_read(files: Files) -> None:
    content = os.urandom(300_000)
    files.write("large", content)
    with files.open("large") as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == content[-10:]
        file.seek(1000)
        assert file.read(70_000) == content[1000:71_000]
        file.seek(0)
        assert file.read() == content


def test_a_lock_is_held_by_one_at_a_time(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bucket, "poll_seconds", 0.05)
    inside: list[int] = []
    most = []

    def work(number: int) -> None:
        with files.lock("locks/sync"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1, 1, 1, 1]


def test_the_lease_of_a_holder_that_died_is_taken_over_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Bucket, "poll_seconds", 0.05)
    files = Bucket(f"s3://{BUCKET}/{tmp_path.name}?endpoint_override={endpoint}")
    with monkeypatch.context() as patch:
        patch.setattr(lease, "SECONDS", 1.0)
        files.write("lock", lease.entry())
    begin = time.monotonic()
    with files.lock("lock"):
        assert time.monotonic() - begin > 0.9
        assert not files.create("lock", b"")
        waiting = threading.Thread(target=lambda: files.lock("lock").__enter__(), daemon=True)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(300)
    assert not waiting.is_alive()


def test_a_lease_is_renewed_while_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lease, "SECONDS", 1.0)
    files = Bucket(f"s3://{BUCKET}/{tmp_path.name}?endpoint_override={endpoint}")
    with files.lock("lock"):
        time.sleep(4.0)
        assert files._take("lock", "another") is None
    assert files._take("lock", "another") is not None


def test_a_bucket_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    files = Bucket(f"s3://no-such-bucket/x?endpoint_override={endpoint}")
    with pytest.raises(StorageError, match=r"storage s3://no-such-bucket/x.*NoSuchBucket"):
        files.write("a", b"")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"storage .*file: (Not a directory|File exists)"):
        Folder(tmp_path / "file").write("a", b"")


def test_what_a_killed_writer_left_is_not_seen(tmp_path: Path) -> None:
    files = Folder(tmp_path)
    files.write("s/a", b"1")
    (tmp_path / "s" / ".b.0123.tmp").write_bytes(b"half")
    assert list(files.entries("s")) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks_is_one_line_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    files = Folder(tmp_path / "storage")
    said = (
        rf"^storage {tmp_path}/storage: its file system has no file locks .*must be mounted with them, or a"
    )
    with pytest.raises(StorageError, match=said):
        files.prove()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError, match=said), files.lock("sync.lock"):
        raise AssertionError


def test_what_fails_under_a_lock_is_no_fault_of_storage(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the caller"), Folder(tmp_path).lock("sync.lock"):
        raise OSError("of the caller")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.ENOTSUP])
def test_without_hard_links_one_of_many_creates_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    files = Folder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: files.create("s/a", b"%d" % i), range(8)))
    assert made.count(True) == 1
    assert files.read("s/a") == b"%d" % made.index(True)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["a"]
