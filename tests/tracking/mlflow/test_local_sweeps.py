import subprocess
import sys

from support.hand_made import Sweep
from tracking.store import RunStore


def test_a_local_store_lists_its_sweeps_without_mlflow_as_with_it(begun: Sweep, store: RunStore):
    assert RunStore(store.connection_uri).open(reading=True).list_sweeps() == []
    parent = store.sync(begun.storage.record())
    experiment = store.client.run(parent).experiment_id

    def made(name: str, start: int, **more: str) -> str:
        tags = {"sweeps.kind": "sweep", "sweeps.name": name, "sweeps.storage": "/elsewhere", **more}
        return store.client.create_run(experiment, name, start, tags).id

    made("claimed", 2000, **{"sweeps.claim": "open"})
    store.client.delete(made("thrown", 3000))
    old = made("old", 1000)
    expected = store.list_sweeps()
    assert [sweep["run_id"] for sweep in expected] == [old, parent]
    assert RunStore(store.connection_uri).open(reading=True).list_sweeps() == expected
    code = (
        f"import sys; from tracking.store import RunStore; s = RunStore({store.connection_uri!r})\n"
        "print([sweep['name'] for sweep in s.open(reading=True).list_sweeps()], 'mlflow' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['old', 'tiny'] False"
