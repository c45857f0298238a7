"""Reading records and picking their samples out, without Python in between.

A thread that reads in Python holds up all others, for longer than the reading of 256 KB takes. So
here one call reads as many records as are wanted, and works outside Python's lock all the while.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

_returns: Any = types.intp
pread: Any = types.ExternalFunction(
    "pread", _returns(types.intc, types.uintp, types.uintp, types.int64)
)


@njit(nogil=True, cache=True)
def read_records(
    descriptor: int,
    at: int,
    record_bytes: int,
    samples_at: int,
    samples_per_record: int,
    inside: int,
    buffer: NDArray[np.uint8],
    heads: NDArray[np.uint8],
    out: NDArray[np.int16],
) -> bool:
    """Read consecutive samples of 16 bits, low byte first, from consecutive records.

    Parameters
    ----------
    descriptor : of the open file
    at : where the first record begins
    record_bytes, samples_at : of the layout; even numbers
    inside : samples of the first record that are passed over
    buffer : room for at least one record; stays in the cache while it is used again and again
    heads : (n_records, n_bytes), filled with what the records begin with; n_bytes may be 0
    out : (n_samples,), filled

    Returns
    -------
    False where the file ended too early or could not be read; `out` then holds anything
    """
    step = buffer.size // record_bytes
    words = buffer[: buffer.size // 2 * 2].view(np.int16)
    done, number = 0, 0
    while done < out.size:
        n_records = min(step, -(-(inside + out.size - done) // samples_per_record))
        n_bytes, n_got = n_records * record_bytes, 0
        while n_got < n_bytes:
            place = np.uintp(buffer.ctypes.data + n_got)
            n = pread(np.intc(descriptor), place, np.uintp(n_bytes - n_got), at + n_got)
            if n <= 0:
                return False
            n_got += n
        for record in range(n_records):
            begin = record * record_bytes
            for i in range(heads.shape[1]):
                heads[number + record, i] = buffer[begin + i]
            first = (begin + samples_at) // 2 + inside
            length = min(samples_per_record - inside, out.size - done)
            source, target = words[first : first + length], out[done : done + length]
            for i in range(length):
                target[i] = source[i]
            done += length
            inside = 0
        at += n_bytes
        number += n_records
    return True
