"""Databases that are damaged, as far as this process has met it: in the log once, known to screens and API.

It is met by any statement that fails for it, and by the checks of `check.begin`.
"""

import logging
import os
import re
import threading
from dataclasses import dataclass

from crm_core.models import SEARCHED

log = logging.getLogger(__name__)

SQLITE_CORRUPT, SQLITE_NOTADB = 11, 26
"""Primary result codes: pages that can't be what they are, and a first one that is none of SQLite's."""

SQLITE_CORRUPT_VTAB = 267
"""Result code of a virtual table whose content can't be what it is; only the search has such tables."""

READS_FAILED = {10, 266, 522, 8202, 8458}
"""Result codes of reads that failed: in general, not at all, in part, by checksum, and by the file system.

Writes that fail, as on a full disk, damage nothing.
"""

SERVER_STATES = {"XX001", "XX002"}
"""SQLSTATEs of PostgreSQL: a page of a table or an index can't be what it is, such as “invalid page”."""

OF_SEARCH = re.compile(
    r"\bfts5\b|\b({})(_(data|idx|content|docsize|config))?\b".format(
        "|".join(index.name for index in SEARCHED.values())
    ),
    re.IGNORECASE,
)
"""What names SQLite's search index: its kind, one of its tables, or one of those that SQLite stores it in."""

WRITES_TO_SEARCH = re.compile(rf"\s*(INSERT|UPDATE|DELETE)\b[^(]*?({OF_SEARCH.pattern})", re.IGNORECASE)

UNKNOWN_FORMAT = "invalid fts5 file format"

SAID_WITHOUT_CODE = ("disk image is malformed", "not a database", "disk I/O error")


@dataclass(frozen=True)
class Damage:
    """What the database program said of it; `may_pass`: a disk could not be read just then."""

    complaint: str
    may_pass: bool
    file: tuple[int, int] | None


_met: dict[str, Damage] = {}
_guard = threading.Lock()


def is_about_search(complaint: str) -> bool:
    """Whether what SQLite finds wrong is in its search index alone, which can be made anew."""
    return bool(OF_SEARCH.search(complaint))


def is_of_search(error: BaseException, statement: str | None = None) -> bool:
    """Whether a driver's error, maybe on this statement, says that the search index is damaged."""
    code, said = getattr(error, "sqlite_errorcode", None), str(error)
    if _primary(code) == SQLITE_CORRUPT:
        writes_there = statement is not None and WRITES_TO_SEARCH.match(statement)
        return code == SQLITE_CORRUPT_VTAB or is_about_search(said) or bool(writes_there)
    return code is not None and UNKNOWN_FORMAT in said


def is_damage(error: BaseException) -> bool:
    """Whether a driver's error says that records are damaged, or that what is stored can't be read."""
    if is_of_search(error):
        return False
    code, state = getattr(error, "sqlite_errorcode", None), getattr(error, "sqlstate", None)
    if code is None and state is None:
        return any(sign in str(error) for sign in SAID_WITHOUT_CODE)
    return state in SERVER_STATES or code in READS_FAILED or _primary(code) in (SQLITE_CORRUPT, SQLITE_NOTADB)


def note(database: str, file: str | None, complaint: str, *, may_pass: bool = False) -> None:
    """Remember that the database of that name is damaged, and say so in the log unless it was said before."""
    met = Damage(complaint.partition("\n")[0].rstrip("."), may_pass, identity(file))
    with _guard:
        is_news = _find(database, file) is None
        if is_news:
            _met[database] = met
    if is_news:
        log.error("%s is damaged: %s. Stop the CRM and restore a backup.", database, met.complaint)


def notice(database: str, file: str | None, error: BaseException) -> None:
    """Note the damage that a driver's error tells of, if any."""
    if is_damage(error):
        may_pass = getattr(error, "sqlite_errorcode", None) in READS_FAILED or "disk I/O" in str(error)
        note(database, file, str(error), may_pass=may_pass)


def find(database: str, file: str | None) -> Damage | None:
    """What is known of the database; nothing of another file that was put in its place."""
    with _guard:
        return _find(database, file)


def forget(database: str) -> None:
    """It was looked through, and is sound."""
    with _guard:
        _met.pop(database, None)


def identity(file: str | None) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = os.stat(file or "")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _find(database: str, file: str | None) -> Damage | None:
    met = _met.get(database)
    return met if met is not None and met.file == identity(file) else None


def _primary(code: int | None) -> int | None:
    return None if code is None else code & 0xFF
