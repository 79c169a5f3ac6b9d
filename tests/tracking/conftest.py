import shutil
from pathlib import Path

import pytest

from support.factory import Factory
from support.hand_made import Sweep
from support.trained import train_sweep
from tracking.publish import publish
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking database without runs; its tables take seconds to make."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    RunStore(f"sqlite:///{path}").open(create=True)
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))


@pytest.fixture
def store(database: Path) -> RunStore:
    return RunStore(f"sqlite:///{database}").open()


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path / "storage")


@pytest.fixture
def finished(sweep: Sweep) -> Sweep:
    sweep.finish()
    return sweep


@pytest.fixture
def begun(sweep: Sweep) -> Sweep:
    """One trial complete, one with two checkpoints."""
    sweep.begin(0)
    sweep.complete(0)
    sweep.begin(1)
    sweep.checkpoint(1, 1)
    sweep.checkpoint(1, 2)
    sweep.close()
    return sweep


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SweepStorage:
    """A sweep of two configurations and two seeds; tests read it and leave it as it is."""
    return train_sweep(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a sweep, recorded and published; a module's tests damage it and repair it again."""
    project = tmp_path_factory.mktemp("published")
    storage = train_sweep(project / "storage")
    publish(storage.record(), storage, RunStore(f"sqlite:///{project}/mlflow.db").open(create=True))
    return project


@pytest.fixture
def make() -> Factory:
    return Factory()
