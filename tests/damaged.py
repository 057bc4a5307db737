"""Damage as a failing disk does it: pages of a database file are overwritten."""

from contextlib import closing
from pathlib import Path

from crm_core.database import Database
from crm_core.engines import embedded_sqlite

PAGE = 4_096


def overwrite_a_page_of(database: Database, table: str | None = None) -> None:
    """The one that leads to all others of the table, or the one in the middle of the file."""
    file = Path(str(database.url.database))
    page = file.stat().st_size // PAGE // 2
    if table is not None:
        with closing(embedded_sqlite.connect(str(file))) as raw:
            root = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
            page = root.fetchone()[0] - 1
    with file.open("r+b") as opened:
        opened.seek(page * PAGE)
        opened.write(b"x" * PAGE)
