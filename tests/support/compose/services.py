"""The services of docker-compose.yml as processes of this machine: commands and checks from the file.

For tests and for faults: every service can be killed and started again. What stands for an image is the
virtual environment that runs the tests and, for PostgreSQL, this machine's with what the entry point does.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from support.compose import compose_file, containers
from support.compose.containers import PATIENCE_SECONDS, Container


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest there is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def missing() -> str | None:
    """Why the services cannot be started here, or None."""
    if postgres_programs() is None:
        return "PostgreSQL is not installed"
    return containers.missing()


def random_secrets() -> dict[str, str]:
    return {name: secrets.token_hex(24) for name in compose_file.SECRETS}


class Services:
    """The cluster of docker-compose.yml.

    Args:
        folder: for volumes, logs and everything else.
        variables: what `.env` holds.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.variables = dict(variables)
        self.document = compose_file.interpolate(compose_file.load(), self.variables)
        self.prefix = f"sweeps-{os.getpid()}-{secrets.token_hex(2)}"
        self.switch = containers.Switch(self.prefix, list(self.document["networks"]))
        self.containers: dict[str, Container] = {}
        self._hosts: list[tuple[str, str, str]] = []
        for name, service in self.document["services"].items():
            if "profiles" not in service:
                self._create(name, service, int(service.get("scale", 1)))
        self.create_client()

    def _create(self, name: str, service: Mapping[str, Any], number: int) -> None:
        names = [name] if number == 1 else [f"{name}-{index}" for index in range(1, number + 1)]
        environment = compose_file.environment(service, self.variables)
        for host in names:
            self._plug(host, service["networks"])
            mounts = {**self._volumes(service, host), **self._own_mounts(host)}
            programs = postgres_programs()
            self.containers[host] = Container(
                host,
                self.folder / host,
                f"{self.prefix}-{host}",
                command=service["command"],
                environment=environment,
                mounts=mounts,
                shm=service.get("shm_size", "64m"),
                user="postgres" if name == "postgres" else None,
                paths=[str(programs)] if name == "postgres" else [],
            )
        if name == "postgres":
            prepare_database(self.folder / "volumes" / "postgres", environment)

    def create_client(self) -> None:
        """A machine of a user's, which has no secrets but those that a command is given."""
        self._plug("client", ["cluster"])
        self.containers["client"] = Container(
            "client",
            self.folder / "client",
            f"{self.prefix}-client",
            command=["sleep", "infinity"],
            environment={},
            mounts=self._own_mounts("client"),
        )

    def _plug(self, host: str, networks: list[str]) -> None:
        for network, address in self.switch.plug(f"{self.prefix}-{host}", networks).items():
            self._hosts.append((host, network, address))
        (self.folder / host / "tmp").mkdir(parents=True)
        hosts = "".join(f"{address} {name}\n" for name, _, address in self._hosts)
        for name in {name for name, _, _ in self._hosts}:
            (self.folder / name / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")

    def _volumes(self, service: Mapping[str, Any], host: str) -> dict[str, Path]:
        mounts = {}
        for volume in service.get("volumes", []):
            name, target = volume.split(":")
            mounts[target] = self.folder / "volumes" / name
            mounts[target].mkdir(parents=True, exist_ok=True)
        for config in service.get("configs", []):
            source = self.folder / host / config["source"]
            source.write_text(self.document["configs"][config["source"]]["content"])
            mounts[config["target"]] = source
        return mounts

    def _own_mounts(self, host: str) -> dict[str, Path]:
        # Ray would make this folder itself; it is a mount point here.
        Path("/tmp/ray").mkdir(exist_ok=True)
        # Names are in the hosts file; a question to a name server fails at once: nothing listens there.
        (self.folder / host / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        files = {f"/etc/{name}": self.folder / host / name for name in ("hosts", "resolv.conf")}
        return {"/tmp/ray": self.folder / host / "tmp", **files}

    def service_of(self, host: str) -> dict[str, Any]:
        services: dict[str, dict[str, Any]] = self.document["services"]
        return services[host] if host in services else services[host.rpartition("-")[0]]

    def up(self) -> Self:
        """`up --wait`: in the order of `depends_on`, each started when those before it are healthy."""
        for host, container in self.containers.items():
            if host != "client":
                for service in self.service_of(host).get("depends_on", {}):
                    self.wait_healthy(service, tend=True)
            if not container.running:
                container.start()
        for host in self.containers:
            self.wait_healthy(host, tend=True)
        return self

    def tend(self) -> list[str]:
        """The restart policy, once: starts what has ended by itself or was killed; returns which."""
        ended = [host for host, container in self.containers.items() if container.ended]
        for host in ended:
            self.containers[host].start()
        return ended

    def healthy(self, host: str) -> bool:
        """Whether the service's own health check passes."""
        container = self.containers[host]
        if host == "client" or not container.running:
            return container.running
        words = self.service_of(host)["healthcheck"]["test"]
        assert words[0] == "CMD"
        with contextlib.suppress(subprocess.TimeoutExpired):
            return container.run(*words[1:], timeout=PATIENCE_SECONDS).returncode == 0
        return False

    def wait_healthy(self, host: str, tend: bool = False) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.healthy(host):
            container = self.containers[host]
            if tend:
                self.tend()
            elif not container.running:
                raise AssertionError(f"{host} ended: {container.tail()}")
            assert time.monotonic() < deadline, f"{host} is not healthy: {container.tail()}"
            time.sleep(0.5)

    def down(self) -> None:
        """Stop everything, last started first, and take the networks away."""
        for host, container in reversed(self.containers.items()):
            # The users' machine and Ray's have nothing to write that outlives the test.
            container.stop(10) if host in ("postgres", "mlflow") else container.kill()
            with contextlib.suppress(subprocess.CalledProcessError):
                containers.ip("netns", "delete", container.namespace)
        self.switch.remove()


@contextlib.contextmanager
def running(variables: Mapping[str, str]) -> Iterator[Services]:
    """The services, up and healthy, and gone with the context."""
    folder = Path(tempfile.mkdtemp(prefix="services-"))
    folder.chmod(0o755)  # PostgreSQL's user comes through
    services = Services(folder, variables)
    try:
        yield services.up()
    finally:
        services.down()
        shutil.rmtree(folder, ignore_errors=True)


def prepare_database(folder: Path, environment: Mapping[str, str]) -> None:
    """What the image's entry point does in an empty volume."""
    programs = postgres_programs()
    assert programs is not None
    folder.chmod(0o700)
    shutil.chown(folder, "postgres", "postgres")
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    user, password = environment["POSTGRES_USER"], environment["POSTGRES_PASSWORD"]
    # Written before it is readable by its reader alone, and gone with its last reader.
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(password)
        file.flush()
        shutil.chown(file.name, "postgres")
        subprocess.run(
            [
                *as_user,
                programs / "initdb",
                "--pgdata",
                folder,
                "--username",
                user,
                "--pwfile",
                file.name,
                *environment["POSTGRES_INITDB_ARGS"].split(),
            ],
            check=True,
            capture_output=True,
        )
    subprocess.run(
        [*as_user, programs / "postgres", "--single", "-D", folder, "postgres"],
        input=f"CREATE DATABASE {environment['POSTGRES_DB']};\n".encode(),
        check=True,
        capture_output=True,
    )
    with (folder / "pg_hba.conf").open("a") as file:
        file.write("host all all all scram-sha-256\n")
    with (folder / "postgresql.conf").open("a") as file:
        file.write("listen_addresses = '*'\nunix_socket_directories = ''\n")
