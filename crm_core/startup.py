"""What happens before the first screen: the database is opened, and the embedded one made ready."""

from pathlib import Path

from crm_core import clock, demo, migrate
from crm_core.config import Config
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable


def open_database(config: Config, *, with_demo: bool = True) -> Database:
    """The configured database, ready to use.

    The embedded one is created and migrated by itself, and filled with demo data on the very first start.
    Another is never written to here: one that is not as this program expects is refused with
    `DatabaseUnavailable`, whose sentence says what to do.
    """
    database = Database(config.database_url)
    if not config.is_embedded:
        migrate.require_current(database)
        return database
    _make_folder(Path(str(database.url.database)).parent)
    before = migrate.upgrade(database)
    if before is migrate.SchemaState.EMPTY and with_demo:
        demo.fill(database, opportunities=demo.DEFAULT_OPPORTUNITIES, seed=demo.DEFAULT_SEED, at=clock.now())
    return database


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The folder {folder} can't be created. Make it writable, or set CRM_DATABASE_URL."
        ) from error
