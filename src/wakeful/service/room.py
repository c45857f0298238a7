"""Whether there is room on the disks for what is to come."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wakeful.config import Library

_FRESH_S: Final = 2.0


class Room:
    """Asks the disks of a library, now and then.

    Parameters
    ----------
    library : whose `keep_free_gb` is kept free
    """

    def __init__(self, library: Library) -> None:
        self._keep = library.config.service.keep_free_gb * 1e9
        self._known: dict[Path, tuple[float, float]] = {}
        """Folder -> when its disk was asked, and how much was free."""

    def why_not(self, folder: Path, n_bytes: float) -> str:
        """Why so many bytes more can't go into a folder; "" where they can.

        Parameters
        ----------
        folder : need not be there yet
        n_bytes : what is to come, of which none has been written
        """
        free = self._free(folder)
        if free - n_bytes >= self._keep:
            return ""
        return (
            f"waits for room: {gigabytes(n_bytes)} to come, {gigabytes(free)} free at {folder}, of "
            f"which {gigabytes(self._keep)} stay free (keep_free_gb in wakeful.toml); `wakeful gc` "
            "lists what can go"
        )

    def _free(self, folder: Path) -> float:
        now = time.monotonic()
        asked, free = self._known.get(folder, (-_FRESH_S, 0.0))
        if now - asked >= _FRESH_S:
            free = float(shutil.disk_usage(nearest_folder(folder)).free)
            self._known[folder] = (now, free)
        return free


def library_folders(library: Library) -> tuple[Path, ...]:
    """The folders of a library whose disks can fill."""
    return (library.raw, library.results, library.published, library.database.parent)


def nearest_folder(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def disks_of(folders: Iterable[Path]) -> dict[int, tuple[Path, ...]]:
    """Number of each disk -> the folders on it; a folder that is not there is left out."""
    disks: dict[int, tuple[Path, ...]] = {}
    for folder in dict.fromkeys(folders):
        try:
            number = nearest_folder(folder).stat().st_dev
        except OSError:
            continue
        disks[number] = (*disks.get(number, ()), folder)
    return disks


def gigabytes(n_bytes: float) -> str:
    """An amount of data in words: "850 MB", "12.3 GB", "354 GB"."""
    if n_bytes < 1e9:
        return f"{n_bytes / 1e6:.0f} MB"
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes < 100e9 else f"{n_bytes / 1e9:,.0f} GB"
