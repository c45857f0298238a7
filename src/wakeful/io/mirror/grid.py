"""How a file is cut into pieces that are verified, named and repaired one by one.

The first 16 KiB are a piece of their own, because acquisitions rewrite the header when they close
a file; after them come granules of 16 MiB. Where a piece begins depends on nothing but its number,
so that a file that grows keeps the pieces it has.
"""

from __future__ import annotations

HEAD_BYTES = 16_384
"""Size of the first piece: a Neuralynx header."""

GRANULE = 16 << 20
"""Size of every other piece; the last one ends where the file ends."""


def piece_bounds(number: int, n_bytes: int) -> tuple[int, int]:
    """First byte of a piece and one past its last, in a file of `n_bytes`."""
    start = 0 if number == 0 else HEAD_BYTES + (number - 1) * GRANULE
    return start, min(HEAD_BYTES + number * GRANULE, n_bytes)


def piece_at(offset: int) -> int:
    """Number of the piece that holds a byte."""
    return 0 if offset < HEAD_BYTES else 1 + (offset - HEAD_BYTES) // GRANULE


def pieces_of(start: int, stop: int) -> range:
    """Numbers of the pieces that a range of bytes touches."""
    return range(piece_at(start), piece_at(stop - 1) + 1) if start < stop else range(0)


def whole_pieces(n_bytes: int) -> int:
    """Size of the whole pieces among the first `n_bytes` of a file, bytes."""
    if n_bytes < HEAD_BYTES:
        return 0
    return HEAD_BYTES + (n_bytes - HEAD_BYTES) // GRANULE * GRANULE
