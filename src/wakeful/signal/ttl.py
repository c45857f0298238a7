"""TTL lines out of the words that an acquisition writes for a whole port."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters

_MAX_LINES = 64


@dataclass(frozen=True, eq=False)
class LineEdges:
    """When one line of a port went up and down."""

    line: int
    """Counted from 0: the bit of the port's word."""
    time_s: NDArray[np.float64]
    """(n_edges,) in the order of the words they come from."""
    level: NDArray[np.int64]
    """(n_edges,) 1 where the line went up, 0 where it went down."""

    @property
    def on_s(self) -> NDArray[np.float64]:
        """(n_ons,) when it went up."""
        on_s: NDArray[np.float64] = self.time_s[self.level == 1]
        return on_s

    @property
    def off_s(self) -> NDArray[np.float64]:
        """(n_offs,) when it went down."""
        off_s: NDArray[np.float64] = self.time_s[self.level == 0]
        return off_s


def detect_line_edges(
    time_s: NDArray[np.float64],
    port_value: NDArray[np.integer],
    *,
    n_lines: int = 16,
    before: int | None = None,
) -> tuple[LineEdges, ...]:
    """Edges of every line that ever changes, from the values of its port.

    Parameters
    ----------
    time_s : (n_values,) seconds
    port_value : (n_values,) the whole port as one number; negative where a signed type was read
    n_lines : lines of the port, 1 to 64
    before : the port's value before the first; where None the first value tells what the lines are
        at its time, and none of them has an edge there

    Returns
    -------
    One entry a line with at least one edge, in order of the lines

    Raises
    ------
    BadParameters
        The arrays are not of one length, or `n_lines` is not 1 to 64.
    """
    times = np.asarray(time_s, np.float64)
    values = np.asarray(port_value)
    if times.ndim != 1 or times.shape != values.shape:
        raise BadParameters(
            f"{times.shape} times but {values.shape} values of the port",
            remedy="give one time for each value",
        )
    if not 1 <= n_lines <= _MAX_LINES:
        raise BadParameters(
            f"a port of {n_lines} lines", where="n_lines", remedy=f"1 to {_MAX_LINES} are possible"
        )
    if not len(values):
        return ()
    # A word read as a signed number keeps its bits when it is widened and seen as unsigned.
    words = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64)
    first = words[0] if before is None else np.int64(before).view(np.uint64)
    changed = words ^ np.concatenate([[first], words[:-1]])
    rows = np.flatnonzero(changed)
    words, changed = words[rows], changed[rows]
    edges: list[LineEdges] = []
    for line in range(n_lines):
        bit = np.uint64(1) << np.uint64(line)
        here = (changed & bit) != 0
        if here.any():
            level = ((words[here] & bit) != 0).astype(np.int64)
            edges.append(LineEdges(line, times[rows[here]], level))
    return tuple(edges)
