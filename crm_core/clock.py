"""The only place that reads the clock; edges ask it, rules receive what it said."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
