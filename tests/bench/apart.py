"""Benchmarks beside browser tests, which leave an event loop running in their thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def apart(do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it in a thread of its own."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(do, *args, **kwargs).result()
