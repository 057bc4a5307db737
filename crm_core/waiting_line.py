"""A lock, or several places, handed over in the order in which they were asked for, unlike Python's own."""

import threading
from collections import deque


class WaitingLine:
    """Those who wait stand in line; each has a latch that the one before opens."""

    def __init__(self, places: int = 1) -> None:
        self._guard = threading.Lock()
        self._latches: deque[threading.Lock] = deque()
        self._free = places

    def acquire(self, timeout: float) -> bool:
        """Wait for one's turn, at most so many seconds; False if it did not come."""
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            latch = threading.Lock()
            latch.acquire()
            self._latches.append(latch)
        try:
            return latch.acquire(timeout=timeout) or not self._leave(latch)
        except BaseException:  # somebody ended the program, or the wait
            if not self._leave(latch):
                self.release()
            raise

    def release(self) -> None:
        """Let the next one in."""
        with self._guard:
            if self._latches:
                self._latches.popleft().release()
            else:
                self._free += 1

    def _leave(self, latch: threading.Lock) -> bool:
        """Step out of the line; False for one whose turn has come at this very moment."""
        with self._guard:
            if latch in self._latches:
                self._latches.remove(latch)
                return True
            return False
