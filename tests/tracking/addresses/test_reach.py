"""Loopback never through a proxy; an address where no server listens is told in seconds."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
import requests

from tracking.addresses import reach
from tracking.errors import RecordError

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="server")
def _server() -> Iterator[int]:
    """The port of a server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(name="silent")
def _silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.fixture(name="dead")
def _dead() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("no_proxy", [None, "", "example.org", "example.org, localhost", "*"])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_loopback_is_asked_directly_whatever_proxy_is_set(
    server: int, dead: int, no_proxy: str | None, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{dead}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, no_proxy or "")
    reach.keep_loopback_direct()
    for host in ("127.0.0.1", "localhost"):
        url = f"http://{host}:{server}"
        assert requests.get(url, timeout=300).text == "OK"
        assert urllib.request.urlopen(url, timeout=300).read() == b"OK"
        assert not reach.is_behind_proxy(url)
    assert not reach.is_behind_proxy("http://[::1]:5000")
    assert reach.is_behind_proxy("http://mlflow.internal:5000") == (no_proxy != "*")
    assert reach.is_behind_proxy("http://example.org") == (no_proxy in (None, ""))


def test_the_buckets_library_asks_loopback_directly_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.utils import get_environ_proxies

    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    reach.keep_loopback_direct()
    assert get_environ_proxies("http://127.0.0.1:9000/bucket") == {}
    assert get_environ_proxies("http://s3.internal/bucket")["http"] == "http://proxy:3128"


def test_exceptions_are_not_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "example.org,localhost")
    reach.keep_loopback_direct()
    once = os.environ["no_proxy"]
    reach.keep_loopback_direct()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == once
    assert once.split(",")[:2] == ["example.org", "localhost"]
    assert once.count("localhost") == 1


def test_an_address_without_a_server_is_told(server: int, dead: int) -> None:
    reach.probe(f"http://127.0.0.1:{server}")
    for uri in (f"http://127.0.0.1:{dead}", f"postgresql+psycopg2://me:s3cret@127.0.0.1:{dead}/mlflow"):
        with pytest.raises(RecordError, match="Connection refused") as told:
            reach.require_store(uri)
        assert "s3cret" not in str(told.value)


def test_a_search_for_a_name_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [asked.wait(300)][:0])
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer in 0.2 s"):
        reach.probe("http://dead:8265", 0.2)
    assert time.monotonic() - started < 250
    asked.set()


def test_what_is_behind_a_proxy_is_not_asked(dead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{dead}")
    reach.probe("https://nowhere.invalid")
    with pytest.raises(OSError, match=r"."):
        reach.probe("http://nowhere.invalid", 5)


def test_several_hosts_of_a_database_are_left_to_its_driver() -> None:
    reach.probe("postgresql://one:5432,two:5432/mlflow")


def test_only_a_grpc_server_counts_as_one(server: int, silent: int, dead: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        reach.probe_grpc("127.0.0.1", dead)
    with pytest.raises(ConnectionError, match="something else"):
        reach.probe_grpc("127.0.0.1", server)
    with pytest.raises(TimeoutError):
        reach.probe_grpc("127.0.0.1", silent, 0.2)
    code = (
        "import grpc, time; from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "server = grpc.server(Pool(1)); port = server.add_insecure_port('127.0.0.1:0'); server.start()\n"
        "print(port, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reach.probe_grpc("127.0.0.1", int(process.stdout.readline()))
        process.kill()
