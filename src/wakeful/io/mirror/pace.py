"""A limit to how fast a source is read."""

from __future__ import annotations

import threading
import time

_BURST_S = 0.25
"""What was not used of the allowance is kept for this long, no longer."""


class Pace:
    """A token bucket.

    Parameters
    ----------
    mb_per_s : megabytes (10^6 bytes) a second; 0 for no limit
    """

    def __init__(self, mb_per_s: float = 0.0) -> None:
        if mb_per_s < 0:
            raise ValueError(f"a bandwidth can't be {mb_per_s:g} MB/s")
        self._bytes_per_s = mb_per_s * 1e6
        self._free_at = time.monotonic()
        self._lock = threading.Lock()

    @property
    def step_bytes(self) -> int:
        """How much to read at one go, so that the flow is even."""
        if self._bytes_per_s == 0:
            return 4 << 20
        return max(64 << 10, min(4 << 20, int(self._bytes_per_s * _BURST_S)))

    def wait_for(self, n_bytes: int) -> None:
        """Return once that many more bytes may be read."""
        if self._bytes_per_s == 0:
            return
        with self._lock:
            now = time.monotonic()
            start = max(self._free_at, now - _BURST_S)
            self._free_at = start + n_bytes / self._bytes_per_s
            pause_s = self._free_at - now
        if pause_s > 0:
            time.sleep(pause_s)
