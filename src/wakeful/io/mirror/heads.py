"""Headers that an acquisition wrote anew when it closed its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import xxhash

from wakeful.io.atomic import write_bytes
from wakeful.io.mirror.journal import Journal
from wakeful.io.mirror.manifest import DATA_NAME, aside_path
from wakeful.model.errors import BadRecording

HEADER_SUFFIX = ".header"
"""End of the name under which an earlier header is kept apart."""


def take_heads(folder: Path, journal: Journal, wanted: Mapping[str, bytes]) -> None:
    """Write new headers over the old ones in the mirror; the old ones are kept apart.

    A kill in between leaves a copy that holds the new header while the journal vouches for the old
    one: the next pass comes here again, and then keeps nothing apart, since what it would keep is
    not the old header any more.

    Parameters
    ----------
    folder : the intake folder
    wanted : file -> its new first piece

    Raises
    ------
    BadRecording
        What was read back differs.
    """
    for name, head in wanted.items():
        digest = xxhash.xxh3_128_hexdigest(head)
        descriptor = os.open(folder / DATA_NAME / name, os.O_RDWR | os.O_CLOEXEC)
        try:
            earlier = os.pread(descriptor, len(head), 0)
            if xxhash.xxh3_128_hexdigest(earlier) == journal.files[name].digests[0]:
                write_bytes(aside_path(folder, name + HEADER_SUFFIX), earlier)
            os.pwrite(descriptor, head, 0)
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, len(head), os.POSIX_FADV_DONTNEED)
            if os.pread(descriptor, len(head), 0) != head:
                raise BadRecording(
                    "the header in the copy differs from what was written",
                    where=str(folder / DATA_NAME / name),
                    remedy="check the disk and the memory of this machine, and run it again",
                )
        finally:
            os.close(descriptor)
        journal.set_head(name, digest)
