from pathlib import Path

import pytest

from support.hand_made import Sweep
from support.servers.mlflow_server import MlflowServer
from tracking.errors import IncompleteError
from tracking.records.records import SweepRecord
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.repair import repair_sweep

pytestmark = pytest.mark.service


def test_a_server_that_goes_away_in_the_middle_of_a_repair_is_no_bad_input(finished: Sweep, tmp_path: Path):
    with MlflowServer(tmp_path / "server") as server:
        store = RunStore(server.url).open(create=True)
        store.sync(finished.storage.record())

        class Cut(SweepStorage):
            """Its first record is read when the server has just been killed."""

            def record(self) -> SweepRecord:
                if "mlflow" in server.processes.started:
                    server.processes.kill("mlflow")
                return super().record()

        with pytest.raises(IncompleteError, match=r"is not repaired to the end: .*verify tiny --repair`"):
            repair_sweep(Cut(finished.storage.files, "tiny"), store)
