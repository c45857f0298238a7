"""Calls no faster than Google takes them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_MINUTE_S: Final = 60.0
_MOST_A_MINUTE: Final = 55
"""Google takes 60 from one account; the rest is for what else uses the account."""


class Pace:
    """Lets so many calls through in any minute, and makes the next one wait.

    Parameters
    ----------
    most : calls in a minute
    clock, sleep : seconds that go on, and waiting
    """

    def __init__(
        self,
        most: int = _MOST_A_MINUTE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when one more call may be made, which is counted."""
        while True:
            with self._lock:
                now = self._clock()
                while self._times and now - self._times[0] >= _MINUTE_S:
                    self._times.popleft()
                if len(self._times) < self._most:
                    self._times.append(now)
                    return
                left_s = _MINUTE_S - (now - self._times[0])
            self._sleep(left_s)
