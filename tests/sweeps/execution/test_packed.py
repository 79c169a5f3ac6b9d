"""A sweep whose trials train in packs, on Ray."""

import os
import signal
from pathlib import Path

import pytest

from support.waiting import wait_until
from support.workplace import Workplace
from tracking.records.records import TrialState

pytestmark = pytest.mark.service


def test_packed_trials_are_each_their_own_and_a_killed_worker_loses_none(tmp_path: Path) -> None:
    """Half of them meet a learning rate that no training survives; one of the two workers is killed."""
    place = Workplace(tmp_path)
    packed = ("resources.packing=4", "search.space.optimizer.lr={grid: [0.001, 1e30]}", "base.num_epochs=40")
    words = [word for one in packed for word in ("--set", one)]
    process = place.start("run", place.spec, *words)
    storage = place.storage()

    def at_work() -> list[int]:
        """Workers of which each trial that lives has two epochs in storage."""
        trials = storage.record().trials if storage.exists else ()
        return [t.attempts[-1].pid for t in trials if t.attempts and t.attempts[-1] and len(t.history) > 1]

    wait_until(lambda: bool(at_work()), process)
    os.kill(at_work()[0], signal.SIGKILL)
    _, err = process.communicate(timeout=900)
    assert process.returncode == 1, err
    assert "trains 2 packs of 4 trials" in err
    record = storage.record()
    states = [(trial.config.optimizer.lr, trial.state) for trial in record.trials]
    assert sorted(states) == [(0.001, TrialState.COMPLETE)] * 4 + [(1e30, TrialState.FAILED)] * 4
    assert {attempt.slots for trial in record.trials for attempt in trial.attempts if attempt} == {4}
    killed = [trial for trial in record.complete if len(trial.attempts) > 1]
    assert len(killed) == 2
    assert place.json("verify", "small") == {"ok": True, "faults": []}
    again = place.json("reproduce", "--best", "small")
    assert (again["verdict"], again["environment"]["changed"]) == ("BITWISE", {})
