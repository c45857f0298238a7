"""What an acquisition noted beside its samples: events, pulses, and the tracker's positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray


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

    def to_pynapple(self) -> Any:
        """As a pynapple TsGroup: a Ts for each code and text, which are its metadata.

        Times are sorted: a clock that steps back is not seen any more.


        Raises
        ------
        Unavailable
            It holds no event, or pynapple is not installed.
        """
        from wakeful.model.sharing import events_to_pynapple

        return events_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.Dataset:
        """As an xarray Dataset of code and label, in the order in which they were written.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import events_to_xarray

        return events_to_xarray(self, start_utc)


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

    def to_pynapple(self) -> Any:
        """As a pynapple TsdFrame with the columns x_px, y_px and angle_deg, sorted by time.


        Raises
        ------
        Unavailable
            It holds no frame, or pynapple is not installed.
        """
        from wakeful.model.sharing import track_to_pynapple

        return track_to_pynapple(self)

    def to_xarray(self, *, start_utc: datetime | None = None) -> xarray.Dataset:
        """As an xarray Dataset of x_px, y_px and angle_deg.

        Parameters
        ----------
        start_utc : the session's start; gives a second coordinate, time_utc

        Raises
        ------
        Unavailable
            xarray is not installed.
        """
        from wakeful.model.sharing import track_to_xarray

        return track_to_xarray(self, start_utc)
