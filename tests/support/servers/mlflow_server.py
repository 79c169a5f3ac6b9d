"""An MLflow server on this machine."""

import os
import secrets
import sys
from pathlib import Path

from support.servers.processes import Processes, answers, free_ports, wait_until


class MlflowServer:
    """An MLflow server on SQLite; with a password, it asks for it (``basic-auth``).

    Attributes:
        url: of the server.
        credentials: what its clients have in their environment.
    """

    def __init__(self, folder: Path, password: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.processes = Processes(folder)
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = password
        self.credentials = (
            {}
            if password is None
            else {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}
        )

    def start(self) -> "MlflowServer":
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))},
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        words: list[str] = []
        if self.password is not None:
            settings = self.folder / "auth.ini"
            settings.touch(mode=0o600)
            settings.write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{self.folder / 'auth.db'}\n"
                f"admin_username = admin\nadmin_password = {self.password}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
                "auth_cache_ttl_seconds = 60\n"
            )
            environment |= {
                "MLFLOW_AUTH_CONFIG_PATH": str(settings),
                "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            }
            words = ["--app-name", "basic-auth"]
        self.processes.start(
            "mlflow",
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--workers",
                "1",
                "--backend-store-uri",
                f"sqlite:///{self.folder / 'mlflow.db'}",
                "--artifacts-destination",
                (self.folder / "artifacts").as_uri(),
                *words,
            ],
            environment,
        )
        wait_until(lambda: answers(f"{self.url}/health"), "MLflow", self.processes, "mlflow")
        return self

    def stop(self) -> None:
        self.processes.stop()

    def __enter__(self) -> "MlflowServer":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
