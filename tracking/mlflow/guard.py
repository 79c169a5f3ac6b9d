"""Lets a secret's holders through to a web application, and no others. It imports no MLflow."""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = "/health"  # says nothing but that a server is there
_REFUSAL = (
    "This MLflow is for its owner: open the link that `sweeps ui` printed, or set MLFLOW_TRACKING_TOKEN"
    " to the token in it.\n"
)

# MLflow opens its assistant by itself on the first visit of each address, over a third of the page.
_WELCOME = """<!doctype html><title>MLflow</title><script>
try { localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true"); } catch {}
location.replace("/" + location.hash);
</script>"""


class Guard:
    """An application that answers to a token: in the link, in the cookie that the link sets, or as a bearer.

    Loopback is open to every user of a machine, and MLflow's server reads and writes files as the one who
    started it.

    Args:
        app: what is guarded.
        token: the secret.
        cookie: name of the cookie; a browser sends it to every port of a host, so no two servers share one.
    """

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        if not token:
            raise ValueError("token: '' is not allowed: must be a secret")
        self._app = app
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, turn the link's token into a cookie, or refuse."""
        kind = scope["type"]
        if kind == "lifespan" or (kind == "http" and scope["path"] == _OPEN):
            await self._app(scope, receive, send)
            return
        given = QueryParams(scope["query_string"]).get("token")
        if kind == "http" and scope["path"] == "/" and self._is_secret(given):
            await self._welcome()(scope, receive, send)
        elif self._admits(HTTPConnection(scope)):
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refusal = PlainTextResponse(_REFUSAL, 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _welcome(self) -> Response:
        """A page that goes on to the same place without the token, so that no address or history holds it."""
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        response = HTMLResponse(_WELCOME, headers=headers)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="lax")
        return response

    def _admits(self, connection: HTTPConnection) -> bool:
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_secret(bearer.strip()):
            return True
        return self._is_secret(connection.cookies.get(self._cookie)) and _is_own_page(connection.headers)

    def _is_secret(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _is_own_page(headers: Headers) -> bool:
    """Whether a page of this server asks: on another port of this host another user may have one."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")
