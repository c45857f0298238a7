"""BLAKE3SUMS: the checksums of whole files, as `b3sum --check` reads them."""

from __future__ import annotations

from pathlib import Path

from wakeful.io.atomic import write_bytes
from wakeful.io.mirror.manifest import Manifest

SUMS_NAME = "BLAKE3SUMS"


def write_sums(folder: Path, manifest: Manifest) -> None:
    """Write the checksums into the intake folder.

    Paths are relative to that folder where the files are in it, else absolute. Files whose names
    are no UTF-8 are left out: such a list can't name them.
    """
    lines: list[str] = []
    for entry in manifest.files:
        path = manifest.base / entry.file
        shown = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        escaped = shown.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "\\" if escaped != shown else ""
        line = f"{mark}{entry.blake3}  {escaped}\n"
        if line.encode(errors="ignore").decode() == line:
            lines.append(line)
    write_bytes(folder / SUMS_NAME, "".join(lines).encode())


def remove_sums(folder: Path) -> None:
    """Before files grow on: the checksums are of what they were."""
    (folder / SUMS_NAME).unlink(missing_ok=True)
