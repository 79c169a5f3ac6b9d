"""What a browser, a client and another user of the machine get from a guarded application."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tracking.mlflow.guard import Guard

TOKEN = "made-for-this-server"
SECRET = "the owner's file"
COOKIE = {"cookie": f"sweeps-ui-5000={TOKEN}"}
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATHS = (
    "/",
    "/api/2.0/mlflow/runs/search",
    "/get-artifact",
    "/ajax-api/x",
    "/graphql",
    "//health",
    "/health/",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse(SECRET)(scope, receive, send)


def sent(kind: str, path: str, method: str, query: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """What the guarded application sends back for one request."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": kind,
        "path": path,
        "method": method,
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(k.encode(), v.encode()) for k, v in {"host": "127.0.0.1:5000", **headers}.items()],
        "server": ("127.0.0.1", 5000),
        "root_path": "",
    }
    asyncio.run(Guard(application, TOKEN, "sweeps-ui-5000")(scope, receive, send))
    return messages


def ask(path: str, method: str = "GET", query: str = "", headers: dict[str, str] | None = None) -> Answer:
    start, *bodies = sent("http", path, method, query, headers or {})
    text = b"".join(body["body"] for body in bodies).decode()
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, text)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_without_the_token_nothing_is_answered(path: str, method: str):
    answer = ask(path, method)
    assert answer.status == 401
    assert SECRET not in answer.text


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü"])
def test_a_wrong_token_is_refused_wherever_it_stands(token: str):
    assert ask("/", query=f"token={token}").status == 401
    assert ask("/api", headers={"authorization": f"Bearer {token}"}).status == 401
    assert ask("/api", headers={"cookie": f"sweeps-ui-5000={token}"}).status == 401
    assert ask("/api", headers={"cookie": f"sweeps-ui-5001={TOKEN}"}).status == 401


def test_the_link_sets_a_cookie_that_scripts_cannot_read_and_drops_the_token():
    answer = ask("/", query=f"token={TOKEN}")
    assert answer.status == 200
    assert 'location.replace("/" + location.hash)' in answer.text
    assert TOKEN not in answer.text
    assert answer.headers["set-cookie"].startswith(COOKIE["cookie"])
    assert {"httponly", "samesite=lax"} <= set(answer.headers["set-cookie"].lower().split("; "))
    assert ask("/get-artifact", headers=COOKIE).text == SECRET


def test_the_token_is_taken_at_the_path_of_the_link_alone():
    """Else a link to //elsewhere would be sent on to it."""
    assert ask("//elsewhere/", query=f"token={TOKEN}").status == 401


def test_a_client_gives_the_token_as_a_bearer():
    assert ask("/api/2.0/mlflow/runs/search", "POST", headers=BEARER).text == SECRET


@pytest.mark.parametrize("origin", ["http://127.0.0.1:6666", "http://elsewhere", "null"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_port_cannot_use_the_cookie(method: str, origin: str):
    assert ask("/api", method, headers={**COOKIE, "origin": origin}).status == 401


def test_the_own_page_of_the_server_can():
    assert ask("/api", "POST", headers={**COOKIE, "origin": "http://127.0.0.1:5000"}).text == SECRET


def test_a_socket_needs_the_token_too():
    assert sent("websocket", "/ws", "GET", "", {})[0]["type"] == "websocket.close"
    assert sent("websocket", "/ws", "GET", "", BEARER)[0]["type"] == "websocket.accept"


def test_whether_the_server_is_there_may_be_asked_by_anybody():
    assert ask("/health").status == 200


def test_no_guard_without_a_secret():
    with pytest.raises(ValueError, match="must be a secret"):
        Guard(application, "", "cookie")
