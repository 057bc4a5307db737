"""What broke inside: its number is all that a user is told, the log tells the rest under the same number."""

import logging
import secrets

SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Read out over the phone, no two of them are taken for each other."""

HALF = 4


def record(log: logging.Logger, error: BaseException) -> str:
    """Write the error with its whole trace to the log; the incident's number, such as 7F3K-2Q9D."""
    number = new_number()
    log.error("Incident %s", number, exc_info=error)
    return number


def new_number() -> str:
    """Random, so that it says nothing about anything and nobody has to keep count."""
    first, second = ("".join(secrets.choice(SIGNS) for _ in range(HALF)) for _ in range(2))
    return f"{first}-{second}"
