"""What an installation can set from outside, as environment variables that start with `CRM_`."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent
EMBEDDED = PROJECT / "data" / "crm.db"


class Config(BaseSettings):
    """One installation's settings; the workspace's own live in the database."""

    model_config = SettingsConfigDict(env_prefix="CRM_", extra="ignore")

    database_url: str = f"sqlite:///{EMBEDDED}"

    @property
    def is_embedded(self) -> bool:
        """True for the default database: migrated by itself, and filled with demo data when new."""
        return "database_url" not in self.model_fields_set
