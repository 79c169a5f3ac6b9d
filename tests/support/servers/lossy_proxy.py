"""A proxy in front of an S3 server, on loopback: it loses answers, and answers as Amazon does."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


class LossyProxy(ThreadingHTTPServer):
    """Forwards every request.

    Attributes:
        address: where clients connect.
        lose: how many of the next writes lose their answer on the way: they happened unheard.
        conflicts: the next so many conditional writes do not happen: 409, they came at once with another.
        puts: conditional writes that were asked for, each retry counted.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.lose = 0
        self.conflicts = 0
        self.puts = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LossyProxy

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def _forward(self) -> None:
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        conditional = "If-Match" in self.headers or "If-None-Match" in self.headers
        writes = self.command == "PUT" and conditional
        proxy.puts += writes
        if writes and proxy.conflicts:
            proxy.conflicts -= 1
            return self._say(409, {}, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
        upstream = http.client.HTTPConnection(proxy.target, timeout=300)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        headers = dict(answer.getheaders())
        upstream.close()
        if writes and proxy.lose and answer.status == 200:
            proxy.lose -= 1
            self.close_connection = True
            return None
        # The stand-in for S3 gives the empty object; S3 itself finds no such range in it.
        if self.command == "GET" and "Range" in self.headers and not content and answer.status < 300:
            return self._say(
                416, {}, b"<Error><Code>InvalidRange</Code><Message>no such range</Message></Error>"
            )
        return self._say(answer.status, headers, content)

    def _say(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        lengths = [value for name, value in headers.items() if name.lower() == "content-length"]
        self.send_header("Content-Length", lengths[0] if lengths else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *values: Any) -> None:
        pass


@contextmanager
def lossy_proxy(target: str) -> Iterator[LossyProxy]:
    """A proxy in front of the server at this address."""
    with LossyProxy(target) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
