"""What an installation can set from outside, as environment variables that start with `CRM_`."""

import os
from functools import lru_cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent
EMBEDDED = PROJECT / "data" / "crm.db"


PREFIX = "CRM_"


class Config(BaseSettings):
    """One installation's settings; the workspace's own live in the database."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: str = f"sqlite:///{EMBEDDED}"
    cors_origins: str = ""

    @property
    def is_embedded(self) -> bool:
        """True for the default database: migrated by itself, and filled with demo data when new."""
        return "database_url" not in self.model_fields_set

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may call the API, such as https://www.example.com; none by default."""
        named = (origin.strip().lower().removesuffix("/") for origin in self.cors_origins.split(","))
        return frozenset(origin for origin in named if origin)


VARIABLES = tuple(f"{PREFIX}{name}".upper() for name in Config.model_fields)


def current() -> Config:
    """The settings that hold now, for who asks often: reading them takes longer than most questions."""
    return _read(*(os.environ.get(name) for name in VARIABLES))


@lru_cache(maxsize=1)
def _read(*_values: str | None) -> Config:
    return Config()
