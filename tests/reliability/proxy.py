"""Stands between the CRM and its PostgreSQL server, and can make it look frozen."""

import socket
from contextlib import suppress
from threading import Event, Thread

from sqlalchemy import make_url


class Proxy:
    """Forwards bytes both ways. Frozen it takes connections and whatever is sent, and forwards nothing."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._runs = Event()
        self._runs.set()
        self._sign: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._open: list[socket.socket] = [self._listener]
        self.port = self._listener.getsockname()[1]
        self.url = self._server.set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)
        Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        self._runs.clear()

    def freeze_after(self, sign: bytes) -> None:
        """The server gets what holds the sign, but nothing that it says to that comes back."""
        self._sign = sign

    def thaw(self) -> None:
        self._sign = None
        self._runs.set()

    def close(self) -> None:
        self.thaw()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.append(client)
        self._runs.wait()
        server = socket.create_connection((self._server.host or "127.0.0.1", self._server.port or 5432))
        self._open.append(server)
        Thread(target=self._forward, args=(server, client), daemon=True).start()
        self._forward(client, server)

    def _forward(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._runs.wait()
                if self._sign is not None and self._sign in data:
                    self.freeze()
                to.sendall(data)
        self._runs.wait()
        with suppress(OSError):
            to.shutdown(socket.SHUT_WR)
