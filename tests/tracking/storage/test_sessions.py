import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from iwae.config.train import TrainConfig
from tracking.errors import RecordError
from tracking.files.folder import Folder
from tracking.records.records import PlannedTrial, TrialState
from tracking.records.shapes import Attempt, SessionEntry, TrialProgress
from tracking.storage import sessions
from tracking.storage.manifest import Decided
from tracking.storage.sessions import SILENT_SECONDS, Session, is_alive, live_session, stop_leftovers
from tracking.storage.sweep import SweepStorage

ELSEWHERE = SessionEntry(
    hostname="elsewhere", pid=1, started=0.0, heartbeat=0.0, ended=None, outcome=None, command="x"
)


def heard(entry: SessionEntry, moment: float) -> SessionEntry:
    return entry.model_copy(update={"heartbeat": moment})


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return SweepStorage(Folder(tmp_path), "sweep")


def test_an_open_session_is_live_and_a_second_one_is_refused(storage: SweepStorage) -> None:
    with Session(storage, "sweeps run") as session:
        live = live_session(storage)
        assert live is not None
        assert live.pid == psutil.Process().pid
        assert live.user == psutil.Process().username()
        with pytest.raises(RecordError, match="is being run by process"):
            Session(storage, "sweeps resume")
        session.close("finished")
    assert live_session(storage) is None
    assert [entry.outcome for entry in storage.sessions()] == ["finished"]


def test_a_session_left_by_an_exception_says_how_it_ended(storage: SweepStorage) -> None:
    with pytest.raises(OSError, match="disk"), Session(storage, "first"):
        raise OSError("disk")
    with pytest.raises(KeyboardInterrupt), Session(storage, "second"):
        raise KeyboardInterrupt
    assert [entry.outcome for entry in storage.sessions()] == ["failed", "interrupted"]


def test_a_killed_driver_is_not_live(storage: SweepStorage) -> None:
    code = (
        "import sys; from tracking.storage.sessions import Session;"
        "from tracking.files.places import open_storage; from tracking.storage.sweep import SweepStorage;"
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
    other = entry.model_copy(update={"process_started": entry.process_started - 1000})
    assert not is_alive(heard(other, time.time() - SILENT_SECONDS - 1))
    assert is_alive(heard(other, time.time()))  # only the clock was set


def test_a_killed_driver_that_is_a_zombie_is_not_live(storage: SweepStorage) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with Session(storage, "x"):
        born = psutil.Process(process.pid).create_time()
        entry = storage.sessions()[0].model_copy(update={"pid": process.pid, "process_started": born})
    assert is_alive(entry)
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not is_alive(entry)
    process.wait()


def test_a_container_of_the_same_host_name_is_another_machine(storage: SweepStorage) -> None:
    with Session(storage, "x"):
        other = {"machine": "another pid namespace", "pid": 2**22 + 1}
        entry = storage.sessions()[0].model_copy(update=other)
    assert is_alive(heard(entry, time.time()))


def test_a_driver_whose_clock_is_behind_is_not_replaced(storage: SweepStorage) -> None:
    storage.create_session(1, heard(ELSEWHERE, time.time() - 3600))
    beat = threading.Timer(1.5, lambda: storage.write_session(1, heard(ELSEWHERE, time.time() - 3600)))
    beat.start()
    with pytest.raises(RecordError, match=r"elsewhere, whose clock is 360. s behind"):
        Session(storage, "second")
    assert storage.session_numbers() == [1]


def test_a_driver_on_another_machine_lives_by_its_heartbeat(storage: SweepStorage) -> None:
    with Session(storage, "x"):
        entry = storage.sessions()[0].model_copy(update={"hostname": "elsewhere"})
    assert is_alive(heard(entry, time.time()))
    assert not is_alive(heard(entry, time.time() - SILENT_SECONDS - 1))


def test_a_driver_that_was_silent_too_long_knows_that_another_took_over(
    storage: SweepStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "WATCH_SECONDS", 0.0)
    with Session(storage, "first") as first:
        assert not first.superseded
        silent = {"hostname": "elsewhere", "heartbeat": 0.0}
        storage.write_session(1, storage.sessions()[0].model_copy(update=silent))
        with Session(storage, "second") as second:
            assert first.superseded
            assert not second.superseded
            first.request_stop("SIGINT")
            assert storage.stop_requested() is None
            second.request_stop("SIGINT")
            assert storage.stop_requested() == "SIGINT"


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


def test_a_trial_that_was_killed_is_charged_until_its_last_sign_of_life(storage: SweepStorage) -> None:
    trials = [PlannedTrial(index, {}, TrainConfig.parse({"seed": index})) for index in range(2)]
    storage.create(Decided.of({"name": "sweep"}, trials, {}))
    for trial in trials:
        storage.trial(trial.key).begin_attempt(Attempt(started=1000.0, cpus=4, gpus=0.5))
    storage.trial(trials[0].key).write_progress(TrialProgress(time=1600.0))
    stop_leftovers(storage, "its driver was killed")
    heard, silent = storage.record().trials
    assert (heard.state, heard.cpu_seconds, heard.gpu_seconds) == (TrialState.STOPPED, 2400.0, 300.0)
    assert (silent.state, silent.cpu_seconds) == (TrialState.STOPPED, 0.0)
