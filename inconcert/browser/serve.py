"""A small HTTP server on this machine, with the headers that Neo4j Browser asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from graph.errors import UserError
from inconcert.browser.pages import Page

HOST = "127.0.0.1"

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    # Browser sends headers of its own (Pragma, sentry-trace, whatever comes next), so it asks
    # for leave first.
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Private-Network": "true",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """Serves fixed pages on this machine only. `pages` may be set until it serves."""

    daemon_threads = True
    pages: Mapping[str, Page]

    def __init__(self, port: int, note: Callable[[str], None]) -> None:
        """Takes the port (0: a free one). UserError when it cannot be had."""
        self.pages = {}
        self.note = note
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be served: {os.strerror(error.errno or 0).lower()}.",
                "Name another with --port.",
            ) from None

    @property
    def base(self) -> str:
        """The URL that pages are under."""
        return f"http://localhost:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "inconcert"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.server.pages.get(urlsplit(self.path).path.lstrip("/"))
        if page is None:
            self._answer(
                HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"There is no such page.\n"
            )
        else:
            self._answer(HTTPStatus.OK, page.kind, page.body)

    do_HEAD = do_GET  # noqa: N815 (named by the library)

    def do_OPTIONS(self) -> None:
        self._answer(HTTPStatus.NO_CONTENT, None, b"")

    def _answer(self, status: HTTPStatus, kind: str | None, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if kind is not None:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *words: Any) -> None:
        self.server.note(format % words)
