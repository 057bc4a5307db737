"""What an installation can set from outside, as environment variables that start with `CRM_`."""

import os
from functools import lru_cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
EMBEDDED = PROJECT / "data" / "crm.db"


PREFIX = "CRM_"


class Config(BaseSettings):
    """One installation's settings; the workspace's own live in the database."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: str = f"sqlite:///{EMBEDDED}"
    allowed_hosts: str = ",".join(LOOPBACK)
    cors_origins: str = ""

    @property
    def is_embedded(self) -> bool:
        """True for the default database: migrated by itself, and filled with demo data when new."""
        return "database_url" not in self.model_fields_set

    @property
    def hosts(self) -> frozenset[str]:
        """The names that the server answers to, separated by commas in `CRM_ALLOWED_HOSTS`."""
        return _listed(self.allowed_hosts)

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may call the API, such as https://www.example.com; none by default."""
        return frozenset(origin.removesuffix("/") for origin in _listed(self.cors_origins))

    @property
    def is_private(self) -> bool:
        """Whether it answers to this machine's own names only."""
        return self.hosts <= frozenset(LOOPBACK)


VARIABLES = tuple(f"{PREFIX}{name}".upper() for name in Config.model_fields)


def current() -> Config:
    """The settings that hold now, for who asks often: reading them takes longer than most questions."""
    return _read(*(os.environ.get(name) for name in VARIABLES))


@lru_cache(maxsize=1)
def _read(*_values: str | None) -> Config:
    return Config()


def _listed(text: str) -> frozenset[str]:
    """What stands between the commas."""
    return frozenset(each.strip().lower() for each in text.split(",") if each.strip())
