"""A user's folder beside a real cluster."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from support.servers.mlflow_server import MlflowServer
from support.servers.ray_cluster import RayCluster
from support.started import start_sweeps
from support.waiting import wait_until
from support.workplace import Workplace


class ClusterPlace(Workplace):
    """A user's folder beside a cluster: the environment names cluster, token, storage and tracking server."""

    def __init__(self, folder: Path, cluster: RayCluster, mlflow: MlflowServer) -> None:
        super().__init__(folder)
        self.cluster = cluster
        self.mlflow = mlflow
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_", "SWEEPS_"))},
            **mlflow.credentials,
            "MLFLOW_TRACKING_URI": mlflow.url,
            "SWEEPS_STORAGE": str(folder / "sweeps-storage"),
            "RAY_API_SERVER_ADDRESS": cluster.url,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(cluster.token_file),
        }

    def start(
        self, *words: object, cwd: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        return start_sweeps(words, cwd or self.folder, environment or self.environment)

    def refused(self, *words: object, **variables: str | None) -> str:
        """The one line of a command that must be refused, in an environment that differs."""
        changed = {**self.environment, **variables}
        environment = {name: text for name, text in changed.items() if text is not None}
        process = self.start(*words, environment=environment)
        out, err = process.communicate(timeout=900)
        assert (process.returncode, out) == (2, ""), err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert self.cluster.token not in err
        return err

    def occupy(self, cpus: int) -> list[str]:
        """Take CPUs of the cluster until the jobs with these ids are stopped."""
        body = json.dumps({"entrypoint": "sleep 600", "entrypoint_num_cpus": 1}).encode()
        headers = {**self._header, "Content-Type": "application/json"}
        ids = []
        for _ in range(cpus):
            with urlopen(Request(f"{self.cluster.url}/api/jobs/", body, headers), timeout=300) as answer:
                ids.append(json.load(answer)["submission_id"])
        wait_until(lambda: all(self.jobs()[id_]["status"] == "RUNNING" for id_ in ids))
        return ids

    def release(self, ids: list[str]) -> None:
        for id_ in ids:
            urlopen(
                Request(f"{self.cluster.url}/api/jobs/{id_}/stop", b"", self._header), timeout=300
            ).close()

    def jobs(self) -> dict[str, Any]:
        """What anybody with the token can read of the cluster's jobs, by submission id."""
        request = Request(f"{self.cluster.url}/api/jobs/", headers=self._header)
        with urlopen(request, timeout=300) as answer:
            return {job["submission_id"]: job for job in json.load(answer) if job["submission_id"]}

    @property
    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cluster.token}"}

    def has_begun(self, name: str) -> bool:
        return bool(self.files("trials/*/attempt-*.json", name))

    def without_storage(self, said: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
        """A command where the folder of the storage is another one."""
        command = shlex.join([sys.executable, "-m", "sweeps", *words])
        shown = subprocess.run(
            [
                "unshare",
                "--mount",
                "--map-root-user",
                "sh",
                "-c",
                f"mount -t tmpfs none {said['storage']} && exec {command}",
            ],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if "unshare" in shown.stderr:
            pytest.skip(shown.stderr)
        return shown

    def shows_no_secret_in_command_lines(self, password: str) -> None:
        """Check the command line of every process of the servers."""
        shown = []
        for process in [*self.cluster.processes.tree(), *self.mlflow.processes.tree()]:
            path = Path("/proc", str(process.pid), "cmdline")
            shown.append(path.read_bytes().decode() if path.exists() else "")
        assert any("raylet" in line for line in shown)
        assert not [line for line in shown if self.cluster.token in line or password in line]
