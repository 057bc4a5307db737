"""How much a run proves: `make test` runs the short form of every test, `make test-all` the long one.

The long form tries more examples, repeats more often, and takes everything to both kinds of database. The
short form takes to both only what is marked `both_databases`: where their dialects could make a difference.
What is marked `on_sqlite` is about no database at all.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")

LONG, DATABASES = "CRM_TEST_LONG", "CRM_TEST_DATABASES"
"""Variables of the environment: 1 for the long form; the kinds of database, by default as said above."""

IS_LONG = os.environ.get(LONG) == "1"

BOTH = ("sqlite", "postgres")


def either(short: T, long: T) -> T:
    """What is right for this run, such as a number of repetitions."""
    return long if IS_LONG else short


def databases(test: pytest.Item) -> Sequence[str]:
    """The kinds of database that a test runs on."""
    if test.get_closest_marker("on_sqlite"):
        return BOTH[:1]
    if chosen := os.environ.get(DATABASES):
        return chosen.split()
    return BOTH if IS_LONG or test.get_closest_marker("both_databases") else BOTH[:1]
