"""Published folders for tests of delivery, of any size."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path

from wakeful.publish.folder import publish_files


def publish(base: Path, files: Mapping[str, bytes], session: str = "night") -> Path:
    """A published folder that holds these files, and nothing that was published before."""
    return publish_files(base, "M1", session, files).folder


def figures(n: int, *, seed: int = 1, most_bytes: int = 200_000) -> dict[str, bytes]:
    """Figures and tables of varied sizes; an empty one among them."""
    draw = random.Random(seed)
    made = {"report.html": draw.randbytes(5_000), "tables/empty.csv": b""}
    for number in range(n):
        folder = ("figures", "figures/days", "tables")[number % 3]
        made[f"{folder}/it's {number:03d} µV.png"] = draw.randbytes(draw.randrange(most_bytes))
    return made


def md5s(files: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> MD5."""
    return {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
