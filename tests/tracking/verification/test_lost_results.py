import shutil
from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import save

from support.hand_made import EPOCHS, STARTED, Sweep, history
from tracking.records.records import TrialState
from tracking.storage.checkpoint import Checkpoint
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify


@pytest.fixture
def recorded(finished: Sweep, store: RunStore) -> Sweep:
    store.sync(finished.storage.record())
    return finished


def run_of(store: RunStore, sweep: Sweep, index: int) -> str:
    return store.trial_run_id("tiny", sweep.plan[index].key)


def cut_unit(sweep: Sweep) -> None:
    path = sweep.trial_folder(1) / "final.zip"
    path.write_bytes(path.read_bytes()[:-40])


def lose_folder(sweep: Sweep) -> list[str]:
    """A finished trial's folder is gone; what `mend` has to say about it."""
    shutil.rmtree(sweep.trial_folder(1))
    return []


def lose_result(sweep: Sweep) -> list[str]:
    cut_unit(sweep)
    return [f"{sweep.plan[1].key[:12]}: final.zip was torn: the trial goes on from what was before it"]


def lose_outcome(sweep: Sweep) -> list[str]:
    (sweep.trial_folder(1) / "outcome.json").write_bytes(b"{}")
    return [f"{sweep.plan[1].key[:12]}: outcome.json was torn"]


LOSSES = [(lose_folder, "WAITING"), (lose_result, "STOPPED"), (lose_outcome, "STOPPED")]


@pytest.mark.parametrize(("lose", "state"), LOSSES, ids=[lose.__name__ for lose, _ in LOSSES])
def test_a_result_that_only_mlflow_has_is_told_kept_and_trained_again(
    finished: Sweep, store: RunStore, lose: Callable[[Sweep], list[str]], state: str
):
    if lose is lose_outcome:
        (finished.trial_folder(1) / "final.zip").unlink()
        finished.checkpoint(1, 2)
        finished.storage.trial(finished.plan[1].key).write_outcome(TrialState.PRUNED)
    store.sync(finished.storage.record())
    lines = lose(finished)
    run_id = run_of(store, finished, 1)
    before = store.client.run(run_id)
    assert any(f"run {run_id} is FINISHED" in fault.what for fault in verify(finished.storage, store))
    mended: list[str] = []
    for expected in (lines, []):
        mended += repair_sweep(finished.storage, store)
        (fault,) = verify(finished.storage, store)
        assert mended == expected
        assert fault.trial_key == finished.plan[1].key
        assert f"storage, where the trial is {state}, has no result" in fault.what
        assert "`sweeps resume tiny` trains the trial again" in fault.what
        assert store.client.run(run_id) == before
        assert store.client.artifacts.read_if_there(run_id, "config.yaml") is not None
        mended.clear()

    finished.begin(1)
    store.sync(finished.storage.record())  # as the recorder does while it is trained
    finished.checkpoint(1, 2, offset=100.0)
    store.sync(finished.storage.record())
    epochs, final = history(EPOCHS, offset=100.0), {"val/nll_final": 20.5, "test/nll": 21.5}
    weights = save({"w": np.zeros(3, dtype=np.float32)})
    unit = Checkpoint(EPOCHS * 10, epochs, final=final, weights=weights, time=STARTED + 200)
    finished.storage.trial(finished.plan[1].key).write_checkpoint(unit)
    store.sync(finished.storage.record())
    assert verify(finished.storage, store) == []
    assert len(store.trial_runs("tiny")) == 3


def test_a_finished_run_of_no_planned_trial_is_told_and_kept(recorded: Sweep, store: RunStore):
    recorded.storage.write_plan(recorded.plan[:2])
    shutil.rmtree(recorded.trial_folder(2))
    store.sync(recorded.storage.record())
    for repair in (False, True):
        if repair:
            repair_sweep(recorded.storage, store)
        (fault,) = verify(recorded.storage, store)
        assert "belongs to no trial of the plan: --repair leaves its result alone" in fault.what
    assert len(store.trial_runs("tiny")) == 3
