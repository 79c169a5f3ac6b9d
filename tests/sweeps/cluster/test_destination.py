"""What may stand in the address of a cluster and of a job's results."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sweeps.cluster.client import cluster_address
from sweeps.cluster.destination import Destination
from sweeps.cluster.jobs import Cluster
from sweeps.errors import ConnectionLostError
from tracking.errors import RecordError

SERVER, FOLDER = "http://mlflow:5000", "/srv/sweeps"


@pytest.mark.parametrize(
    ("storage", "tracking_uri"),
    [
        (FOLDER, "postgresql://mlflow:s3cret@db/mlflow"),
        (FOLDER, "postgresql://mlflow:pa/s3cret@db/mlflow"),
        (FOLDER, "postgresql://db/mlflow?user=mlflow&PASSWORD=s3cret"),
        (FOLDER, "postgresql://db/mlflow?sslpassword=s3cret"),
        (FOLDER, "http://me:s3cret@mlflow:5000"),
        ("s3://KEY:s3cret@bucket/sweeps", SERVER),
        ("s3://KEY:ab/s3cret@bucket/sweeps", SERVER),
        ("s3://bucket/sweeps?Secret_key=s3cret", SERVER),
        ("s3://bucket/sweeps?endpoint_override=http://me:s3cret@s3:9000", SERVER),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_shown(storage: str, tracking_uri: str) -> None:
    with pytest.raises(RecordError, match=r"not allowed.*(environment|MLFLOW_|AWS_)") as caught:
        Destination.checked(storage, tracking_uri)
    assert "s3cret" not in str(caught.value)


def test_addresses_without_a_secret_are_taken_as_they_are() -> None:
    place = "s3://bucket/sweeps?endpoint_override=http://s3:9000"
    found = Destination.checked(place, "postgresql+psycopg2://mlflow@db:5432/mlflow")
    assert (found.storage, found.tracking_uri) == (place, "postgresql+psycopg2://mlflow@db:5432/mlflow")


@pytest.mark.parametrize(
    "address",
    [
        "http://HOST:PORT",
        "127.0.0.1:8265:8265",
        "http://127.0.0.1:82650",
        "http://[::1:8265",
        "http://a..b:8265",
        "http://TOKEN@host:8265",
        "http://host:8265?token=TOKEN",
        "ray://host:10001",
        "http://",
    ],
)
def test_a_clusters_address_that_is_none_is_one_line(address: str) -> None:
    with pytest.raises(RecordError, match=r"cluster: .* is not allowed: must be") as caught:
        cluster_address(address)
    assert "TOKEN" not in str(caught.value)


def test_a_clusters_address_is_made_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster_address("host:8265/") == "http://host:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://host/ray")
    assert cluster_address(None) == "https://host/ray"
    assert cluster_address("") is None


class _Dashboard(BaseHTTPRequestHandler):
    """A proxy before a head that goes away once it has told its version."""

    status = 200

    def do_GET(self) -> None:
        version = self.path == "/api/version"
        body = b'{"ray_version": "2.60.0"}' if version else b"<html>anything</html>"
        self.send_response(200 if version else type(self).status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dashboard() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Dashboard) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_proxy_that_says_that_the_head_is_away_is_a_lost_connection(
    code: int, dashboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Dashboard, "status", code)
    with pytest.raises(ConnectionLostError, match=f"{dashboard}: .* {code} ") as caught:
        Cluster(dashboard).jobs()
    assert "<html>" not in str(caught.value)


def test_any_other_refusal_is_told_with_its_words(dashboard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Dashboard, "status", 500)
    with pytest.raises(RecordError, match=f"^{dashboard}: <html>anything</html>$") as caught:
        Cluster(dashboard).jobs()
    assert not isinstance(caught.value, ConnectionLostError)
