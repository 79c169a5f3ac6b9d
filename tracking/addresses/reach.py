"""Whether a server listens at an address, told in seconds; this machine is never behind a proxy."""

import os
import socket
import threading
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tracking.addresses import uris
from tracking.errors import RecordError

SECONDS = 5.0
DATABASES = ("postgresql", "mysql", "mssql")
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
# As `requests` reads it, and as `urllib` and botocore do, which keep the brackets and know no networks.
_LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1", "[::1]", "0.0.0.0")
# A gRPC server answers the beginning of any connection with its settings.
_GRPC_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_SETTINGS = 4


def keep_loopback_direct() -> None:
    """Let no request to this machine, of this process or of one it starts, go through a proxy."""
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if before.strip() != "*":
        names = [name.strip() for name in before.split(",") if name.strip()]
        before = ",".join([*names, *(name for name in _LOOPBACK if name not in names)])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = before


def is_behind_proxy(url: str) -> bool:
    """Whether a request goes to a proxy, and not to the host that the address names."""
    parts = urlsplit(url)
    known = getproxies()
    return (parts.scheme in known or "all" in known) and not proxy_bypass(parts.hostname or "")


def probe(url: str, seconds: float = SECONDS) -> None:
    """Raise when no server or database listens at an address; what a proxy reaches is not asked.

    Raises:
        OSError: none does, or the host's name is not known.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.partition("+")[0]
    try:
        port = parts.port or _PORTS.get(scheme)
    except ValueError:  # several hosts of a database: its driver tries one after the other
        return
    if parts.hostname and port and not (scheme.startswith("http") and is_behind_proxy(url)):
        _connect(parts.hostname, port, seconds).close()


def require_store(uri: str) -> None:
    """Raise in seconds when no tracking store listens at its address; MLflow itself tries for minutes.

    Raises:
        RecordError: none does.
    """
    if uris.is_server(uri) or uri.startswith(DATABASES):
        try:
            probe(uri)
        except OSError as error:
            what = "tracking server" if uris.is_server(uri) else "database"
            raise RecordError(f"no {what} at {uris.shown(uri)}: {error.strerror or error}") from None


def probe_grpc(host: str, port: int, seconds: float = SECONDS) -> None:
    """Raise when no gRPC server listens.

    Raises:
        OSError: nothing listens, or another kind of server.
    """
    with _connect(host, port, seconds) as connection:
        connection.settimeout(seconds)
        connection.sendall(_GRPC_HELLO)
        if connection.recv(4)[3:] != bytes([_SETTINGS]):
            raise ConnectionError("what answers there is something else")


def _connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connection, within this time in all: the search for a name and its many addresses have no limit."""
    made: list[socket.socket | OSError] = []

    def connect() -> None:
        try:
            made.append(socket.create_connection((host, port), timeout=seconds))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=connect, name="probe", daemon=True)
    thread.start()
    thread.join(seconds)
    if not made:
        raise TimeoutError(f"no answer in {seconds:g} s")
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]
