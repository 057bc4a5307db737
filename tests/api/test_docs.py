"""The commands of docs/api.md, run by a shell against a server of its own, answer what the page says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.answers import DESCRIPTIONS
from crm_core.config import PROJECT
from crm_core.schemas.user import UserCreate
from crm_core.services import user_service
from tests.serving import API_ALONE, Server

PAGE = (PROJECT / "docs" / "api.md").read_text("utf-8")
EXAMPLE = re.compile(r"^```shell\n(.*?)^```\n\n```(?:json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEXT = "--- and the next one ---"


@pytest.fixture
def environment(database) -> dict[str, str]:
    """A shell beside the server, where `python` is the one that runs the tests."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing: no commands to run")
    return os.environ | {
        "CRM_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def server(database) -> Iterator[Server]:
    """It answers on a fresh database with one more user."""
    with database.write() as session:
        user_service.create_user(session, UserCreate(name="Rita Rep", email="rita@acme.example"))
    server = Server(database.url.render_as_string(hide_password=False), API_ALONE)
    server.start()
    yield server
    server.stop()


def as_pattern(answer: str) -> str:
    """What the page shows: `…` is whatever was left out, and long lines were wrapped."""
    return r"\s*".join(re.escape(line) for line in answer.splitlines()).replace("…", ".*?")


@pytest.mark.on_sqlite
def test_the_commands_print_what_the_page_shows(server, environment):
    examples: list[Any] = EXAMPLE.findall(PAGE)
    script = f"\necho '{NEXT}'\n".join(command for command, _ in examples).replace(
        "http://localhost:8501", server.address
    )

    ran = subprocess.run(
        ["sh", "-euc", script], cwd=PROJECT, env=environment, capture_output=True, encoding="utf-8"
    )

    printed = ran.stdout.split(NEXT)
    assert (ran.stderr, len(printed)) == ("", len(examples))
    for (command, answer), told in zip(examples, printed, strict=True):
        assert re.fullmatch(as_pattern(answer), told.strip("\ufeff\r\n"), re.DOTALL), (command, told)


def test_every_command_has_its_answer():
    assert PAGE.count("```shell") == len(EXAMPLE.findall(PAGE)) > 8


def test_every_status_is_explained():
    statuses = set(DESCRIPTIONS) | {405}

    assert statuses == {int(status) for status in re.findall(r"^\| ([45]\d\d) \|", PAGE, re.MULTILINE)}


def test_the_readme_leads_to_the_page():
    assert "(docs/api.md)" in (PROJECT / "README.md").read_text("utf-8")
