"""What happens before the first screen: the database is opened, and the embedded one made ready."""

import contextlib
from pathlib import Path

from sqlalchemy import exists, select

from crm_core import migrate
from crm_core.config import Config
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable
from crm_core.models import Transaction
from crm_core.patience import GRACE, WHILE_SET_UP


def open_database(config: Config, *, with_demo: bool = True, grace: float = GRACE) -> Database:
    """The configured database, ready to use.

    The embedded one is created and migrated by itself, and filled with demo data on the very first start.
    Another is never written to here: one that is not as this program expects is refused with
    `DatabaseUnavailable`, whose sentence says what to do.
    """
    database = open_as_it_is(config, grace=grace)
    if not config.is_embedded:
        migrate.require_current(database)
        return database
    migrate.upgrade(database)
    if with_demo and not _was_ever_used(database):
        _fill_with_demo(database)
    return database


def open_as_it_is(config: Config, *, grace: float = GRACE) -> Database:
    """The configured database, whatever state its tables are in."""
    database = Database(config.database_url, grace=grace)
    if config.is_embedded:
        _make_folder(Path(str(database.url.database)).parent)
    return database


def _was_ever_used(database: Database) -> bool:
    with database.read() as session:
        return session.scalar(select(exists().where(Transaction.id.is_not(None)))) or False


def _fill_with_demo(database: Database) -> None:
    from crm_core import demo  # long to load, and needed once in an installation's life

    with contextlib.suppress(demo.NotEmpty, demo.ChangedMeanwhile):  # another process was faster
        deals, seed = demo.DEFAULT_OPPORTUNITIES, demo.DEFAULT_SEED
        demo.fill(database, opportunities=deals, seed=seed, patience=WHILE_SET_UP)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The folder {folder} can't be created. Make it writable, or set CRM_DATABASE_URL."
        ) from error
