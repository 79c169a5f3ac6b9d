"""Of several sweeps of a name that begin at once, in storages of their own, one gets the name."""

import threading
from pathlib import Path

import pytest

from support.hand_made import Sweep
from tracking.errors import RecordError
from tracking.runs import claims
from tracking.store import RunStore


@pytest.fixture
def sweeps(tmp_path: Path) -> list[Sweep]:
    return [Sweep(tmp_path / name) for name in ("one", "two", "three")]


def claim_all(sweeps: list[Sweep], database: Path) -> list[str]:
    """Whose claim was granted; each has a connection of its own."""
    stores = [RunStore(f"sqlite:///{database}").open() for _ in sweeps]
    together, won = threading.Barrier(len(sweeps)), []

    def work(sweep: Sweep, store: RunStore) -> None:
        together.wait()
        try:
            store.claim(sweep.storage.record())
        except RecordError as error:
            assert "name: tiny is not allowed: must be new in" in str(error)  # noqa: PT017
        else:
            won.append(str(sweep.folder.parent))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(sweeps, stores, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_of_three_claims_at_once_one_is_granted_and_no_other_is_left(sweeps: list[Sweep], database: Path):
    won = claim_all(sweeps, database)
    assert len(won) == 1
    store = RunStore(f"sqlite:///{database}").open()
    (run,) = claims.parent_runs(store.client, "tiny")
    assert run.tags["sweeps.storage"] == won[0]
    assert not claims.is_open(run)


@pytest.mark.parametrize("first_id_is_smaller", [True, False])
def test_whoever_looked_before_there_were_two_keeps_the_name(
    first_id_is_smaller: bool, sweeps: list[Sweep], store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    """The second claim is made after the first one's look and before it is held: MLflow's ids are random."""
    first, second = (sweep.storage.record() for sweep in sweeps[:2])
    experiment = store.client.create_experiment("iwae-sweeps", None).id
    tags = {
        "sweeps.kind": "sweep",
        "sweeps.name": "tiny",
        "sweeps.storage": second.storage,
        "sweeps.claim": "open",
    }
    settled, rival = claims._settle, []

    def settle(client, own):
        settled(client, own)
        while not rival or (own.id < rival[-1].id) is not first_id_is_smaller:
            if rival:
                client.delete(rival[-1].id)
            rival.append(client.create_run(experiment, "tiny", 1, tags))

    monkeypatch.setattr(claims, "_settle", settle)
    store.claim(first)
    monkeypatch.undo()
    with pytest.raises(RecordError, match=f"name: tiny is not allowed.* the sweep in {first.storage}"):
        claims.claim(store.client, experiment, second, tags)
    (run,) = claims.parent_runs(store.client, "tiny")
    assert run.tags["sweeps.storage"] == first.storage


def test_a_claim_of_a_driver_that_was_killed_is_taken_up_by_its_own_sweep_alone(
    sweeps: list[Sweep], store: RunStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "PATIENCE_SECONDS", 0.3)
    mine, other = (sweep.storage.record() for sweep in sweeps[:2])

    class KilledError(BaseException):
        pass

    def die(client, own):
        raise KilledError

    monkeypatch.setattr(claims, "_settle", die)
    monkeypatch.setattr(store.client, "delete", lambda run_id: None)
    with pytest.raises(KilledError):
        store.claim(mine)
    monkeypatch.undo()
    assert store.find_sweep("tiny") is None
    assert store.list_sweeps() == []
    monkeypatch.setattr(claims, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(RecordError, match=f"it is the sweep in {mine.storage}"):
        store.claim(other)
    parent = store.claim(mine)
    assert store.find_sweep("tiny") == parent
    assert len(claims.parent_runs(store.client, "tiny")) == 1


def test_a_claim_is_the_parent_that_is_recorded_later(sweeps: list[Sweep], store: RunStore):
    sweep = sweeps[0]
    parent = store.claim(sweep.storage.record())
    sweep.finish()
    assert store.sync(sweep.storage.record()) == parent
    assert store.claim(sweep.storage.record()) == parent


def test_a_name_that_the_store_knows_is_told_with_the_place_of_its_sweep(
    sweeps: list[Sweep], store: RunStore
):
    mine, other = (sweep.storage.record() for sweep in sweeps[:2])
    claims.refuse_recorded(store.client, mine.source)
    store.claim(mine)
    with pytest.raises(RecordError, match=f"where it is the sweep in {mine.storage}: choose another --name"):
        claims.refuse_recorded(store.client, other.source)
    with pytest.raises(RecordError, match=f"no longer, in {mine.storage}: bring them back"):
        claims.refuse_recorded(store.client, mine.source)
