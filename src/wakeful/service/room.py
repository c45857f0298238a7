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
    """Asks the disks of a library, now and then, and keeps what was promised apart.

    What has been let go on has not written all of its bytes yet: two rows that each fit alone
    would together fill a disk. A promise holds as long as its owner asks again in each pass.

    Parameters
    ----------
    library : whose `keep_free_gb` is kept free
    """

    def __init__(self, library: Library) -> None:
        self._keep = library.config.service.keep_free_gb * 1e9
        self._promised: dict[str, tuple[int, float]] = {}
        """Owner -> the disk's number, and what is still to come on it; of this pass."""
        self._promised_before: dict[str, tuple[int, float]] = {}
        """Those of the pass before, whose owners may not have asked yet in this one."""
        self._known: dict[Path, tuple[float, float]] = {}
        """Folder -> when its disk was asked, and how much was free."""

    def begin(self) -> None:
        """A pass begins: who did not ask in the last one needs no room any more."""
        self._promised_before, self._promised = self._promised, {}

    def why_not(self, folder: Path, n_bytes: float, owner: str) -> str:
        """Why so many bytes more can't go into a folder; "" where they can, and are promised.

        Parameters
        ----------
        folder : need not be there yet
        n_bytes : what is to come, of which none has been written
        owner : for what; who asks again changes the earlier promise
        """
        disk = _number_of(folder)
        free = self._free(folder)
        others = sum(
            promised
            for other, (place, promised) in (self._promised_before | self._promised).items()
            if other != owner and place == disk
        )
        if free - others - n_bytes >= self._keep:
            self.promise(folder, n_bytes, owner)
            return ""
        self._promised.pop(owner, None)
        self._promised_before.pop(owner, None)
        taken = f" ({gigabytes(others)} of it for what is at work)" if others else ""
        return (
            f"waits for room: {gigabytes(n_bytes)} to come, {gigabytes(free)} free at {folder}"
            f"{taken}, of which {gigabytes(self._keep)} stay free (keep_free_gb in wakeful.toml); "
            "`wakeful gc` lists what can go"
        )

    def promise(self, folder: Path, n_bytes: float, owner: str) -> None:
        """Keep room for what is being written already, whether or not it fits."""
        self._promised[owner] = _number_of(folder), n_bytes

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


def _number_of(folder: Path) -> int:
    """The number of the disk that a folder lies on, or will."""
    return nearest_folder(folder).stat().st_dev


def disks_of(folders: Iterable[Path]) -> dict[int, tuple[Path, ...]]:
    """Number of each disk -> the folders on it; a folder that is not there is left out."""
    disks: dict[int, tuple[Path, ...]] = {}
    for folder in dict.fromkeys(folders):
        try:
            number = _number_of(folder)
        except OSError:
            continue
        disks[number] = (*disks.get(number, ()), folder)
    return disks


def gigabytes(n_bytes: float) -> str:
    """An amount of data in words: "850 MB", "12.3 GB", "354 GB"."""
    if n_bytes < 1e9:
        return f"{n_bytes / 1e6:.0f} MB"
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes < 100e9 else f"{n_bytes / 1e9:,.0f} GB"
