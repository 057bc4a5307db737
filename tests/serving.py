"""The program in a process of its own, on a port of its own, as those who run it start it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

import pytest

from crm_core.config import PROJECT

WITH_SCREENS = ("streamlit", "run", "app.py", "--server.port")
API_ALONE = ("uvicorn", "api.main:api", "--port")

START_PATIENCE = 60
"""Seconds. Most of a start is imports, which take long on a busy machine."""


class Server:
    """Always the same address and database; it may be killed, and started again."""

    def __init__(self, database_url: str, command: tuple[str, ...] = WITH_SCREENS) -> None:
        port = free_port()
        self.address = f"http://localhost:{port}"
        self.command = [sys.executable, "-m", *command, str(port)]
        self.environment = {**os.environ, "CRM_DATABASE_URL": database_url}
        self.said = TemporaryFile()  # noqa: SIM115

    def start(self) -> float:
        """Wait until it is fit to work, and say how many seconds that took."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=PROJECT, env=self.environment, stdout=self.said, stderr=subprocess.STDOUT
        )
        while not self.is_fit():
            if self.process.poll() is not None:
                pytest.fail(f"The server ended: {self.log()}")
            if time.monotonic() > began + START_PATIENCE:
                self.kill()
                pytest.fail(f"The server did not start: {self.log()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def is_fit(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/api/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def log(self) -> str:
        self.said.seek(0)
        return self.said.read().decode()


@contextmanager
def served(database_url: str) -> Iterator[str]:
    """The server as the README starts it, with the database given; yields its address."""
    server = Server(database_url)
    server.start()
    try:
        yield server.address
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
