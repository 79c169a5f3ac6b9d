import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from iwae.errors import RecordError
from tracking.folder import Folder
from tracking.sessions import SILENT_SECONDS, Session, is_alive, live_session
from tracking.storage import SweepStorage


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return SweepStorage(Folder(tmp_path), "sweep")


def test_an_open_session_is_live_and_a_second_one_is_refused(storage: SweepStorage) -> None:
    with Session(storage, "sweeps run") as session:
        live = live_session(storage)
        assert live is not None
        assert live["pid"] == psutil.Process().pid
        with pytest.raises(RecordError, match="is being run by process"):
            Session(storage, "sweeps resume")
        session.close("finished")
    assert live_session(storage) is None
    assert [entry["outcome"] for entry in storage.sessions()] == ["finished"]


def test_a_session_left_by_an_exception_says_how_it_ended(storage: SweepStorage) -> None:
    with pytest.raises(OSError, match="disk"), Session(storage, "first"):
        raise OSError("disk")
    with pytest.raises(KeyboardInterrupt), Session(storage, "second"):
        raise KeyboardInterrupt
    assert [entry["outcome"] for entry in storage.sessions()] == ["failed", "interrupted"]


def test_a_killed_driver_is_not_live(storage: SweepStorage) -> None:
    code = (
        "import sys; from tracking.sessions import Session;"
        "from tracking.storage import SweepStorage, open_storage;"
        "s = Session(SweepStorage(open_storage(sys.argv[1]), 'sweep'), 'x'); s.__enter__();"
        "print('on', flush=True);"
        "import time; time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, storage.files.uri], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert live_session(storage) is not None
    process.kill()
    process.communicate()
    assert live_session(storage) is None


def test_a_reused_process_id_is_not_the_driver(storage: SweepStorage) -> None:
    with Session(storage, "x"):
        entry = storage.sessions()[0]
    assert not is_alive({**entry, "process_started": entry["process_started"] - 1000})


def test_a_driver_on_another_machine_lives_by_its_heartbeat(storage: SweepStorage) -> None:
    with Session(storage, "x"):
        entry = {**storage.sessions()[0], "hostname": "elsewhere"}
    assert is_alive({**entry, "heartbeat": time.time()})
    assert not is_alive({**entry, "heartbeat": time.time() - SILENT_SECONDS - 1})


def test_a_driver_that_was_silent_too_long_knows_that_another_took_over(storage: SweepStorage) -> None:
    with Session(storage, "first") as first:
        assert not first.superseded
        storage.write_session(1, {**storage.sessions()[0], "hostname": "elsewhere", "heartbeat": 0.0})
        with Session(storage, "second") as second:
            assert first.superseded
            assert not second.superseded


def test_of_two_drivers_at_once_one_is_refused(storage: SweepStorage) -> None:
    def enter(number: int) -> bool:
        try:
            Session(storage, str(number))
        except RecordError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(enter, range(8))).count(True) == 1
    assert storage.session_numbers() == [1]


def test_a_request_to_stop_the_driver_before_is_not_for_the_next(storage: SweepStorage) -> None:
    with Session(storage, "first"):
        storage.request_stop("test")
    with Session(storage, "second"):
        assert storage.stop_requested() is None
