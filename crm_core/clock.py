"""The only place that reads this computer's clock; edges ask it, rules receive what it said.

On PostgreSQL the server's clock counts instead (`database.Database`).
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
