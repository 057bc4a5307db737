"""Rules of the house that a reviewer should not have to look for."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from click import Command, Group

from crm_core.cli import app
from crm_core.config import PROJECT

FORBIDDEN = {
    "pages": {"sqlalchemy", "pandas", "fastapi", "starlette", "api", "alembic"},
    "ui": {"fastapi", "starlette", "api", "pages"},
    "api": {"streamlit", "ui", "pages"},
    "crm_core": {"streamlit", "fastapi", "starlette", "ui", "api", "pages"},
}
"""What a layer must not import: pages -> ui -> crm_core <- api."""

REGISTRY_HOSTS = re.compile(
    r"pypi\.(org|python)|pythonhosted|npmjs|yarnpkg|crates\.io|proxy\.golang|index-url"
)
PICTURES = {".png", ".ico", ".woff2"}
OWN_FOLDERS = ("api", "bench", "crm_core", "docs", "migrations", "pages", "tests", "ui", ".ci", ".streamlit")


def code(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """The packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def of_sqlalchemy(file: Path) -> Iterator[str]:
    """What a file takes from SQLAlchemy."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("sqlalchemy"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            yield from (name.name for name in node.names)


def called(file: Path) -> Iterator[str]:
    """The names of the methods that a file calls."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def beside_the_services(file: Path) -> Iterator[str]:
    """What a file takes from modules in the services' folder that are none, except classes and constants."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("crm_core.services"):
            continue
        module = (node.module or "").removeprefix("crm_core.services").removeprefix(".")
        if not module:
            yield from (name.name for name in node.names if not name.name.endswith("_service"))
        elif not module.endswith("_service"):
            yield from (f"{module}.{name.name}" for name in node.names if not name.name[0].isupper())


def own_files() -> list[Path]:
    """Every text file that belongs to the project."""
    inside = [file for folder in OWN_FOLDERS for file in (PROJECT / folder).rglob("*") if file.is_file()]
    beside = [file for file in PROJECT.iterdir() if file.is_file()]
    written = [file for file in inside + beside if "__pycache__" not in file.parts]
    return [
        file for file in written if file.suffix not in {".png", ".db", ".woff2"} and file != Path(__file__)
    ]


def raw_html(file: Path) -> Iterator[str]:
    """Where a file hands HTML to the browser as it is, or shows a page in a page."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.keyword(arg="unsafe_allow_html" | "unsafe_allow_javascript"):
                yield node.arg
            case ast.Attribute(attr="html" | "iframe" | "_html" | "_iframe"):
                yield ast.unparse(node)
            case ast.ImportFrom() if {"html", "iframe"} & {name.name for name in node.names}:
                yield ast.unparse(node)


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_only_what_lies_below_it(layer):
    wrong = {
        f"{file.relative_to(PROJECT)} imports {package}"
        for file in code(layer)
        for package in imported(file)
        if package in FORBIDDEN[layer]
    }

    assert wrong == set()


def test_migrations_import_only_alembic_sqlalchemy_and_the_standard_library():
    packages = {package for file in code("migrations/versions") for package in imported(file)}

    assert packages - sys.stdlib_module_names <= {"alembic", "sqlalchemy"}


def test_only_the_database_commits():
    committing = {
        str(file.relative_to(PROJECT))
        for folder in FORBIDDEN
        for file in code(folder)
        if {"commit", "begin_nested"} & set(called(file))
    }

    assert committing == {"crm_core/database.py"}


def test_every_door_says_who_comes_in():
    """Without an actor a transaction is the system's, which may do everything."""
    anonymous = {
        f"{file.relative_to(PROJECT)}:{node.lineno}"
        for folder in ("api", "pages", "ui")
        for file in code(folder)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"read", "write", "import_opportunities"}
        and ast.unparse(node.func.value) not in {"st", "door", "file"}  # these are no databases
        and "actor" not in {keyword.arg for keyword in node.keywords}
    }

    assert anonymous == set()


def test_nobody_takes_an_inner_function_for_a_service():
    """What only services call does not look at who may; reading a record of any kind does."""
    outside = [file for file in code("crm_core") if file.parent.name != "services"]
    outside += [file for folder in ("api", "bench", "pages", "ui") for file in code(folder)]
    wrong = {
        f"{file.relative_to(PROJECT)}: {found}" for file in outside for found in beside_the_services(file)
    }

    assert wrong == {"ui/drawer/choices.py: records.get"}


@pytest.mark.parametrize(
    "line",
    [
        "from crm_core.services import lead_service, records",
        "from crm_core.services.conversion import LeadIsNotQualified, link",
    ],
)
def test_an_inner_function_is_found_however_it_is_taken(tmp_path, line):
    (tmp_path / "screen.py").write_text(line)

    assert [*beside_the_services(tmp_path / "screen.py")] in (["records"], ["conversion.link"])


def test_nothing_writes_past_the_history():
    legacy = {"bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}
    wrong = {str(file) for folder in FORBIDDEN for file in code(folder) if legacy & set(called(file))}

    assert wrong == set()


def test_no_screen_writes_html():
    wrong = {
        f"{file.relative_to(PROJECT)}: {found}"
        for folder in ("pages", "ui")
        for file in code(folder)
        for found in raw_html(file)
    }

    assert wrong <= {"ui/navigation.py: st.html"}  # a stylesheet of ours, and nobody's words


@pytest.mark.parametrize(
    "line",
    [
        "st.markdown(name, unsafe_allow_html=True)",
        "st.html(name)",
        "st.sidebar.iframe(address)",
        "st.components.v1.html(name)",
        "components.iframe(address)",
        "from streamlit import html as shown",
        "from streamlit.components.v1 import iframe",
        "write = st.html",
    ],
)
def test_html_is_found_however_it_is_written(tmp_path, line):
    (tmp_path / "screen.py").write_text(line)

    assert list(raw_html(tmp_path / "screen.py")) != []


def test_no_screen_asks_the_database_itself():
    """So what a screen shows can't depend on the kind of database, and its tests run on one of them."""
    asks = {"execute", "scalars", "scalar", "get_one", "exec_driver_sql"}
    wrong = {
        f"{file.relative_to(PROJECT)}: {found}"
        for folder in ("pages", "ui")
        for file in code(folder)
        for found in {*of_sqlalchemy(file)} - {"Session"} | asks & {*called(file)}
    }

    assert wrong == set()


def test_no_screen_lies_directly_in_pages():
    assert list((PROJECT / "pages").glob("*.py")) == []


def test_the_api_loads_nothing_that_only_screens_and_demo_data_need():
    """It serves again a second sooner after a crash."""
    command = [sys.executable, "-c", "import sys, api.main; print(*sys.modules)"]
    loaded = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split()

    assert {"streamlit", "pandas", "numpy", "faker"} & set(loaded) == set()


def commands(group: Command, path: str = "python -m crm_core") -> Iterator[str]:
    if not isinstance(group, Group):
        yield path
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{path} {name}")


@pytest.mark.parametrize("command", [*commands(typer.main.get_command(app))])
def test_every_command_is_in_the_readme(command):
    assert command in (PROJECT / "README.md").read_text()


def test_no_file_names_a_package_registry():
    wrong = [
        str(file.relative_to(PROJECT))
        for file in own_files()
        if REGISTRY_HOSTS.search(file.read_text(encoding="utf-8", errors="ignore"))
    ]

    assert wrong == []
