"""The code of docs/library.md does what the page says."""

import os
import re
import subprocess
import sys

import pytest

from crm_core import errors
from crm_core.config import PROJECT
from crm_core.services import opportunity_service

PAGE = (PROJECT / "docs" / "library.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_code_prints_what_the_page_shows(empty_database, tmp_path):
    script = tmp_path / "script.py"
    url = empty_database.url.render_as_string(hide_password=False)
    script.write_text("\n".join(blocks("python")).replace("sqlite:///sales.db", url), "utf-8")

    ran = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )

    assert (ran.stderr, ran.stdout) == ("", "".join(blocks("text")))
    with empty_database.read() as session:
        assert opportunity_service.count_opportunities(session) == 2


@pytest.mark.parametrize(
    "kind",
    [
        kind.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ],
)
def test_every_kind_of_refusal_is_explained(kind):
    assert f"`{kind}`" in PAGE


def test_the_readme_leads_to_the_page():
    assert "(docs/library.md)" in (PROJECT / "README.md").read_text("utf-8")
