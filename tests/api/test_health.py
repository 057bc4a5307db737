"""The health endpoint tells whether this server is fit to work."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.main import api
from crm_core import __version__
from tests.api.conftest import HERE


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Somebody at this machine; each test names the database."""
    with TestClient(api, base_url=HERE) as client:
        yield client


def test_says_what_it_works_with(client, database, monkeypatch):
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))

    answer = client.get("/api/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": __version__,
        "database": database.kind,
        "migration": "current",
    }


def test_a_database_without_tables_is_not_fit(client, empty_database, monkeypatch):
    monkeypatch.setenv("CRM_DATABASE_URL", empty_database.url.render_as_string(hide_password=False))

    answer = client.get("/api/health")

    assert (answer.status_code, answer.json()["migration"]) == (503, "empty")


def test_the_documentation_works_without_internet(client):
    page = client.get("/docs").text

    assert "https://" not in page
    assert client.get("/api/openapi.json").status_code == 200
