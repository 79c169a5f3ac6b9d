"""MLflow and PostgreSQL as processes that can be killed and started again at the same address."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from ..place.bench import NotHereError
from ..place.case import Case
from ..place.cluster import free_ports
from ..place.commands import kill_all

START_SECONDS = 300.0
DOWN_SECONDS = 60.0


class MlflowServer:
    """`mlflow server` on 127.0.0.1.

    Args:
        folder: where its artifacts lie, its log, and the SQLite database when no other is named.
        database: SQLAlchemy URI.
    """

    def __init__(self, folder: Path, database: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/mlflow.db"
        self.port = free_ports(1)[0]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = [
            "server",
            "--backend-store-uri",
            self.database,
            "--artifacts-destination",
            str(self.folder / "artifacts"),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
        ]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *words],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, **quiet},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.5)
        raise TimeoutError(f"no MLflow at {self.uri}: {self.folder}/server.log")

    def kill(self) -> None:
        """Kill -9 of all its processes."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(self._process.pid)
                kill_all([top, *top.children(recursive=True)])
            self._process.wait()


class Postgres:
    """A PostgreSQL of its own on 127.0.0.1, in a folder of its own.

    Raises:
        NotHereError: no PostgreSQL is installed.
    """

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.uri = f"postgresql+psycopg2://sweeps@127.0.0.1:{self.port}/postgres"
        installed = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), shutil.which("initdb")]
        if installed == [None]:
            raise NotHereError("PostgreSQL is not installed")
        self._binaries = Path(installed[0] or installed[-1] or "").parent
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))

    def start(self) -> None:
        """Make the database and start it."""
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = str(self.folder / "data")
        self._call("initdb", "-D", data, "-U", "sweeps", "--auth=trust", "--no-sync")
        self._control("start")

    def restart(self) -> None:
        """Restart it as after a crash: no connection is ended in order."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """End it and remove what it held."""
        self._control("stop", "-m", "immediate")
        shutil.rmtree(self.folder)

    def _control(self, *words: str) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        log = str(self.folder / "server.log")
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, *words)

    def _call(self, program: str, *words: str) -> None:
        command = [str(self._binaries / program), *words]
        with (self.folder / f"{program}.log").open("a") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd=self.folder, user=self._user)


def mlflow_down(case: Case) -> None:
    """Killed at a random instant, back after a minute."""
    server = MlflowServer(case.folder / "mlflow")
    case.closing.append(server.kill)
    server.start()
    command = case.new_sweep(tracking_uri=server.uri).run()
    case.wait_for_instant(command, case.bench.reference.trials)
    server.kill()
    time.sleep(DOWN_SECONDS)
    case.strike(server.start)
    case.expect_done(command)


def postgres_restarted(case: Case) -> None:
    """Restarted at a random instant, as after a crash."""
    database = Postgres()
    database.start()
    case.closing.append(database.stop)
    server = MlflowServer(case.folder / "mlflow", database.uri)
    case.closing.append(server.kill)
    server.start()
    command = case.new_sweep(tracking_uri=server.uri).run()
    case.wait_for_instant(command, case.bench.reference.trials)
    case.strike(database.restart)
    case.expect_done(command)
