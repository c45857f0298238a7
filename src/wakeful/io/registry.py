"""The readers there are: adding one is one decorated function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wakeful.model.errors import BadRecording
from wakeful.model.recording import Recording

Sniff = Callable[[tuple[Path, ...]], tuple[Path, ...]]
"""Files of one folder (or one file) -> those that are samples of the format."""


@dataclass(frozen=True)
class Growth:
    """How much of each file of a recording may be used while more is being written."""

    n_bytes: Mapping[str, int]
    """File, relative to the recording's folder -> bytes from its start that are verified; nothing
    behind them is ever looked at. Files that are not listed do not exist."""
    step_bytes: int = 0
    """Files are verified in steps of up to this much: a file may hold nearly as much more, for as
    long as it takes to write that, and nothing of it is seen."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What there is to open."""

    root: Path
    """The file or folder asked for."""
    files: tuple[Path, ...]
    """Its files of the format, in order of name."""
    others: tuple[Path, ...]
    """Its other files, left aside."""
    scans: Path | None = None
    """A folder to remember in what reading through whole files has shown; None for nowhere."""
    growth: Growth | None = None
    """How far the files may be read, while they are still being written; None where they are
    whole."""
    thorough: bool = False
    """Whether all of a file is to be read where a quick look at it would do."""

    @property
    def folder(self) -> Path:
        """What the names of files are relative to."""
        return self.root if self.root.is_dir() else self.root.parent

    def only_file(self) -> Path:
        """The one file of a format that keeps a whole recording in a file.

        Raises
        ------
        BadRecording
            The folder holds several.
        """
        if len(self.files) == 1:
            return self.files[0]
        shown = ", ".join(str(path) for path in self.files[:4])
        raise BadRecording(
            f"the folder holds {len(self.files)} recordings of one file each",
            where=str(self.root),
            remedy=f"give the path of one of them: {shown}",
        )


Open = Callable[[Found], Recording]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How one acquisition format is recognised and opened."""

    name: str
    """As in `Description.format`: "neuralynx"."""
    title: str
    """For people: "Neuralynx (.ncs)"."""
    sniff: Sniff
    open: Open
    follows: bool = False
    """Whether it can read a recording that is still being written (`Found.growth`)."""
    rotates: bool = False
    """Whether it opens one file, and several in a folder may continue each other: they are then
    opened one by one and joined (`wakeful.io.chain`)."""
    gives_way: bool = False
    """Whether its files are looked at only where no other format is found: analyses leave files
    of such formats beside raw data."""
    nested: bool = False
    """Whether the files of a recording may lie in folders below the one that is given."""


READERS: dict[str, Reader] = {}
"""By name, in the order in which they were registered."""


def reader(
    *,
    name: str,
    title: str,
    sniff: Sniff,
    follows: bool = False,
    rotates: bool = False,
    gives_way: bool = False,
    nested: bool = False,
) -> Callable[[Open], Open]:
    """Register the decorated function as the one that opens a format.

    Parameters
    ----------
    follows : it can read a recording that is still being written
    rotates : it opens one file, and several in a folder may continue each other
    gives_way : its files count only where no other format is found
    nested : its files may lie in folders below; `sniff` is then given all of them, and may refuse
        those that are not of one recording
    """

    def register(function: Open) -> Open:
        if name in READERS and READERS[name].open.__module__ != function.__module__:
            raise ValueError(f"two readers are called {name!r}")
        READERS[name] = Reader(
            name=name,
            title=title,
            sniff=sniff,
            open=function,
            follows=follows,
            rotates=rotates,
            gives_way=gives_way,
            nested=nested,
        )
        return function

    return register


def by_suffix(*suffixes: str) -> Sniff:
    """A sniff that goes by the end of the name, whatever its case."""

    def sniff(files: tuple[Path, ...]) -> tuple[Path, ...]:
        # `Path.suffix` takes the path apart each time; every reader asks this of every file.
        return tuple(path for path in files if str(path).lower().endswith(suffixes))

    return sniff
