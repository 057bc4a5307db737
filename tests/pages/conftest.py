"""The real app on a fresh database, as a person opens it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from crm_core.config import PROJECT
from crm_core.database import Database
from tests.builders import Make
from ui import uncut

Given = Callable[[], AbstractContextManager[Make]]
OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def packages_are_looked_through_once() -> Iterator[None]:
    """Streamlit reads what every installed package says of itself for each app, half a second each time."""
    look = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", look)
        yield


@pytest.fixture(scope="session", autouse=True)
def every_request_is_done() -> None:
    """As `app.py` sets it up."""
    uncut.take_over()


@pytest.fixture(autouse=True)
def nothing_is_cached() -> None:
    """Tests write into one database, at the same instants: answers of one must not reach the next."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def given(database: Database) -> Given:
    """Builders whose records are kept: `with given() as make:`."""

    @contextmanager
    def open_() -> Iterator[Make]:
        with database.write() as session:
            yield Make(session)

    return open_


@pytest.fixture
def open_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Runs the app and goes to a screen, with the query parameters given."""
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))

    def open_(path: str, **query: str | list[str]) -> AppTest:
        page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=30)
        for name, value in query.items():
            page.query_params[name] = value
        page.switch_page(path)
        page.run()
        assert not page.exception
        return page

    return open_
