"""The wire between a client and its Neo4j server, for tests that cut it."""

from __future__ import annotations

import contextlib
import socket
import threading

COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""The message by which a client of Bolt asks for a commit."""


class Wire:
    """Carries what client and server say. Its `url` is the server's for whom it fools."""

    def __init__(self, url: str) -> None:
        host, port = url.rpartition("//")[2].split(":")
        self._server = (host, int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"bolt://127.0.0.1:{self._listening.getsockname()[1]}"
        self.loses_answers = False
        """Whether each other answer to a commit is lost, and the connection with it."""
        self.lost = 0
        self._commits = 0
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nobody answers."""
        for end in (self._listening, *self._ends):
            _shut(end)
        self._listening.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(self._server)
                self._ends += [client, server]
                lost = threading.Event()
                for of in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(*of, lost), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, lost: threading.Event) -> None:
        asks = sink.getpeername() == self._server
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if asks and self.loses_answers and data.endswith(COMMIT):
                    self._commits += 1
                    if self._commits % 2:
                        lost.set()
                if not asks and lost.is_set():  # the server has done it, and says so
                    self.lost += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            _shut(end)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
