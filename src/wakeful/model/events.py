"""What an acquisition noted beside its samples: events, pulses, and the tracker's positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class EventSeries:
    """Moments that one source of a recording noted: key presses, messages, edges of a TTL line."""

    name: str
    """Unique in the recording: "Events", "ttl 3"."""
    time_s: NDArray[np.float64]
    """(n_events,) seconds from the recording's start, in the order in which they were written:
    not sorted, since a clock that steps back is a finding."""
    code: NDArray[np.int64]
    """(n_events,) the number that came with each: the level of a TTL line (1 up, 0 down), or the
    value of a whole port."""
    label: tuple[str, ...]
    """(n_events,) the text that came with each; "" where there was none."""
    file: str = ""
    """Relative to the recording's folder."""
    warnings: tuple[str, ...] = ()
    """Records that were left out, and why."""

    @property
    def n_events(self) -> int:
        """How many there are."""
        return len(self.time_s)


@dataclass(frozen=True, eq=False, kw_only=True)
class VideoTrack:
    """What a video tracker of the acquisition wrote, a row a frame (.nvt)."""

    name: str
    time_s: NDArray[np.float64]
    """(n_frames,) seconds from the recording's start, as they were stamped."""
    x_px: NDArray[np.float64]
    """(n_frames,); NaN where nothing was found."""
    y_px: NDArray[np.float64]
    angle_deg: NDArray[np.float64]
    """(n_frames,) head direction where the tracker gives one; NaN where it does not."""
    frame_px: tuple[int, int] | None = None
    """Width and height of the picture, where the file says."""
    file: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return len(self.time_s)
