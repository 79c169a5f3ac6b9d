"""Ray's Job API client with a limit on every wait: addresses, the token, and errors of one line.

Ray's own client reads the token (`RAY_AUTH_MODE=token` with `RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH` or
`~/.ray/auth_token`) and sends it as a header; it is written nowhere else.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from sweeps.errors import ConnectionLostError
from tracking.addresses import reach
from tracking.addresses.uris import server_parts, shown
from tracking.errors import RecordError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
_TOKEN = "RAY_AUTH_MODE=token with RAY_AUTH_TOKEN_PATH (a file) or RAY_AUTH_TOKEN"
# What a proxy answers while the head is away.
_AWAY = (502, 503, 504)
_NO_DASHBOARD = "not a Ray dashboard: must be an address such as http://HOST:8265"
T = TypeVar("T")


class RequestRefusedError(Exception):
    """The Job API answered with an HTTP error.

    Attributes:
        status: the HTTP status.
        text: what the answer held.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def cluster_address(given: str | None) -> str | None:
    """Where the cluster's dashboard is: as given, else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS if http.

    An empty text means no cluster, whatever the environment says.

    Raises:
        RecordError: it is not the address of a dashboard, or holds a password.
    """
    address = given
    if address is None:
        address = os.environ.get("RAY_API_SERVER_ADDRESS") or os.environ.get("RAY_ADDRESS", "")
        if address and not address.startswith(("http://", "https://")):
            return None
    if not address:
        return None
    if "://" not in address:
        address = f"http://{address}"
    if "@" in address or "?" in address:
        raise RecordError("cluster: a secret in the address is not allowed: must be http://HOST:8265")
    if not address.startswith(("http://", "https://")):
        raise RecordError(
            f"cluster: {shown(address)!r} is not allowed: must be the dashboard's address, such as http://HOST:8265"
        )
    server_parts(address, "cluster")
    return address.rstrip("/")


def readable_token() -> str | None:
    """A warning when other users may read the file with the token."""
    if os.environ.get("RAY_AUTH_MODE") != "token" or os.environ.get("RAY_AUTH_TOKEN"):
        return None
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"warning: other users can read the token in {path}: chmod 600 {path}"
    return None


def probe(address: str) -> None:
    """Check within seconds that a server listens.

    Raises:
        ConnectionLostError: none does.
    """
    try:
        reach.probe(address, _CONNECT_SECONDS)
    except OSError as error:
        raise ConnectionLostError(f"no cluster at {address}: {error.strerror or error}") from None


def answered(where: str, call: Callable[[], T]) -> T:
    """The result of a call; any failure becomes one line without the token.

    Raises:
        ConnectionLostError: the cluster does not answer, or a proxy says that it is away.
        RecordError: anything else.
    """
    import requests
    from ray.exceptions import AuthenticationError

    try:
        return call()
    except AuthenticationError as error:
        raise RecordError(f"{where} {_refusal(str(error))}: set {_TOKEN}") from None
    except requests.exceptions.InvalidHeader:
        raise RecordError(f"the token for {where} is not one line of text: set {_TOKEN}") from None
    except RequestRefusedError as error:
        text = " ".join(error.text.split())[-300:]
        raise _refused(where, error.status, text) from None
    except (requests.exceptions.HTTPError, requests.exceptions.JSONDecodeError, KeyError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise _refused(where, status, _NO_DASHBOARD) from None
    except (requests.exceptions.RequestException, ConnectionError) as error:
        reason = "it does not answer" if isinstance(error, requests.Timeout) else "the connection failed"
        raise ConnectionLostError(f"no cluster at {where}: {reason}") from None
    except RuntimeError as error:
        raise RecordError(f"{where}: {' '.join(str(error).split())[-300:]}") from None


def _refused(where: str, status: int | None, why: str) -> RecordError:
    if status in _AWAY:
        answer = f"{status} {HTTPStatus(status).phrase}"
        return ConnectionLostError(f"no cluster at {where}: the server there answers {answer}")
    return RecordError(f"{where}: {why}")


def _refusal(text: str) -> str:
    if "invalid" in text.lower() and "Forbidden" in text:
        return "refuses the token"
    if "Unauthorized" in text:
        return "asks for a token"
    return "cannot be asked, because no token was found"


def connect(address: str) -> Any:
    """Ray's client, with a limit on every wait."""
    from ray.job_submission import JobSubmissionClient

    # They set their own levels when they are imported.
    for name in (
        "dashboard.modules.job.sdk",
        "dashboard.modules.dashboard_sdk",
        "_private.runtime_env.packaging",
        "_private.authentication.http_token_authentication",
    ):
        logging.getLogger(f"ray.{name}").setLevel(logging.ERROR)

    class Client(JobSubmissionClient):
        def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
            response = super()._do_request(
                method, endpoint, timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS), **options
            )
            if endpoint == "/api/version":
                response.raise_for_status()
            return response

        def _raise_error(self, r: Any) -> None:  # Ray's own says the status in words only
            raise RequestRefusedError(r.status_code, r.text)

    with _addressed(address):
        return Client(address)


@contextlib.contextmanager
def _addressed(address: str) -> Iterator[None]:
    # Ray prefers what the environment says to what its client is given.
    name = "RAY_API_SERVER_ADDRESS"
    old = os.environ.get(name)
    os.environ[name] = address
    try:
        yield
    finally:
        os.environ.pop(name)
        if old is not None:
            os.environ[name] = old
