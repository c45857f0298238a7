"""Taking recordings in: a verified copy, or a hash of what is used where it is.

Every byte is read once on its way in, and each piece of a file (the first 16 KiB, then each 16 MiB)
has its xxh3-128 in the manifest. A block's raw data is later named by the pieces its records lie
in, never by a whole file. A recording may still be growing: the manifest then says how much of each
file has been verified.
"""

from __future__ import annotations

from wakeful.io.mirror.ending import Ending, Look, check_settled, look_at
from wakeful.io.mirror.grid import GRANULE, HEAD_BYTES, piece_bounds, pieces_of
from wakeful.io.mirror.intake import TakenInElsewhere, plainly, take_in
from wakeful.io.mirror.manifest import (
    ASIDE_NAME,
    DATA_NAME,
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    base_of,
    intake_folder,
    is_current,
    read_manifest,
    scans_folder,
    source_files,
)
from wakeful.io.mirror.passes import Progress
from wakeful.io.mirror.scrubbing import Damage, repair, scrub

__all__ = [
    "ASIDE_NAME",
    "DATA_NAME",
    "GRANULE",
    "HEAD_BYTES",
    "MANIFEST_NAME",
    "Damage",
    "Ending",
    "FileEntry",
    "Look",
    "Manifest",
    "Progress",
    "TakenInElsewhere",
    "base_of",
    "check_settled",
    "intake_folder",
    "is_current",
    "look_at",
    "piece_bounds",
    "pieces_of",
    "plainly",
    "read_manifest",
    "repair",
    "scans_folder",
    "scrub",
    "source_files",
    "take_in",
]
