"""Opening a recording, whatever acquisition wrote it, and choosing one of its streams."""

from __future__ import annotations

import importlib
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wakeful.io.registry import READERS, Found, Growth, Reader
from wakeful.model.errors import AmbiguousStream, BadRecording, NoRecording, StillGrowing
from wakeful.model.recording import Description, Recording, Stream

_READER_MODULES = (
    "neuralynx",
    "openephys",
    "openephys_binary",
    "spikeglx",
    "neo_readers",
    "edf",
    "binary_csv",
    "flat",
    "npy",
    "mat",
    "nwb_reader",
    "blackrock",
    "plexon",
    "neo_generic",
)
"""Modules of this package that register a reader; imported when a recording is first opened."""

_TIE = 0.10
"""Streams whose channel-seconds differ by less than this can't be told from one another."""

_MAX_LOOKED_AT = 2000
"""Files looked at in sub-folders when nothing was found, only to say what there is."""

_MAX_BELOW = 100_000
"""Files of one recording in sub-folders; more are several recordings."""

_DERIVED = (".npy", ".mat", ".csv", ".nwb")
"""Endings of files that are made from recordings as often as they are recordings."""

_MAX_DEPTH = 8
"""Folders below the one given in which files of one recording may lie."""


def read_recording(
    path: Path,
    scans: Path | None = None,
    growth: Growth | None = None,
    *,
    thorough: bool = False,
) -> Recording:
    """Find out the format of a file or folder, and open it; no samples are read.

    Parameters
    ----------
    path : a recording's folder, or one file of it
    scans : a folder in which to remember where records and gaps lie, so that a large recording
        need not be read through again by the next process; nothing is remembered where None
    growth : how much of each file may be used, where it is still being written
    thorough : read large files through where a quick look at their time stamps would do; see
        `wakeful.io.quick_look` for what that may miss until samples are read

    Raises
    ------
    NoRecording
        There is nothing at `path`, or nothing that can be read; says what was found.
    BadRecording
        It can't be read as it is (several formats in one folder, damaged files).
    StillGrowing
        More is being written, and the format can only be read when it is whole.
    """
    reader, found = recognise(path)
    if growth is not None and not reader.follows:
        raise StillGrowing(
            f"{reader.title} can't be read while it is being written",
            where=str(path),
            remedy="it is read once the recording has ended",
        )
    found = replace(found, scans=scans, growth=growth, thorough=thorough)
    if reader.rotates and len(found.files) > 1:
        from wakeful.io.chain import open_chain

        return open_chain(reader, found)
    return reader.open(found)


def recognise(path: Path) -> tuple[Reader, Found]:
    """Which format a file or folder is of, by the names of its files alone.

    Raises
    ------
    NoRecording
        There is nothing at `path`, or nothing that can be read; says what was found.
    BadRecording
        It holds more than one format.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (links are left as the user gave them)
    load_readers()
    files = _list_files(path)
    claims = {name: found for name, r in READERS.items() if (found := r.sniff(files))}
    if path.is_dir() and not any(not READERS[name].nested for name in claims):
        whole = (*files, *_list_below(path))
        nested = [(name, r) for name, r in READERS.items() if r.nested]
        claims = {name: found for name, r in nested if (found := r.sniff(whole))}
        if claims:
            _refuse_strangers(path, whole, claims)
            files = whole
    if not claims:
        raise _nothing_found(path, files)
    if firm := {name: taken for name, taken in claims.items() if not READERS[name].gives_way}:
        claims = firm
    if len(claims) > 1:
        what = "; ".join(
            f"{READERS[name].title}: {_shorten([f.name for f in found])}"
            for name, found in claims.items()
        )
        shown = ", ".join(str(found[0]) for found in claims.values())
        raise BadRecording(
            f"the folder holds more than one format ({what})",
            where=str(path),
            remedy="give the path of the file wanted, one row for each (for example "
            f"{shown}), or keep one recording to a folder",
        )
    ((name, taken),) = claims.items()
    mine = set(taken)
    others = tuple(file for file in files if file not in mine)
    return READERS[name], Found(root=path, files=taken, others=others)


def _refuse_strangers(
    path: Path, files: tuple[Path, ...], claims: Mapping[str, tuple[Path, ...]]
) -> None:
    """A folder of which one sub-folder is a recording may hold others beside it."""
    homes = {file.parent for found in claims.values() for file in found}
    home = Path(os.path.commonpath(homes))
    apart = tuple(
        file
        for file in files
        if not file.is_relative_to(home) and file.suffix.lower() not in _DERIVED
    )
    others = {file.parent for r in READERS.values() if not r.nested for file in r.sniff(apart)}
    if others:
        folders = [str(folder) for folder in (home, *sorted(others))]
        raise BadRecording(
            "the folder holds several recordings in its sub-folders",
            where=str(path),
            remedy=f"give the path of one of them: {_shorten(folders, 6)}",
        )


def load_readers() -> None:
    """Import the modules that hold readers, so that they are registered."""
    for module in _READER_MODULES:
        importlib.import_module(f"wakeful.io.{module}")


def choose_stream(
    description: Description, wanted: str | None = None
) -> tuple[Stream, tuple[str, ...]]:
    """The stream to work on, and what a person must know of the choice.

    One stream is taken as it is. Of several, the one with the most channel-seconds of brain
    signal is (of any signal, where no channel is known to be brain). While more is being written,
    files are verified in large steps and streams seem to lead one another by turns: only the time
    that all have is counted then, so that the choice stays.

    Parameters
    ----------
    wanted : its name; None or "" where the choice is left

    Raises
    ------
    AmbiguousStream
        The two best are within 10 % of each other.
    BadRecording
        There is no stream of the name wanted.
    """
    streams = description.streams
    if wanted:
        from wakeful.io.records import find_stream

        return find_stream(description, wanted), ()
    if not streams:
        raise NoRecording(
            "the recording holds no stream",
            where=description.root,
            remedy="check that the right folder was given",
        )
    if len(streams) == 1:
        return streams[0], ()
    brain_only = any(c.kind.is_brain for stream in streams for c in stream.channels)
    shared_s = min((s.duration_s for s in streams if s.growing), default=math.inf)
    ranked = sorted(streams, key=lambda s: -_channel_seconds(s, brain_only, shared_s))
    best, second = (_channel_seconds(s, brain_only, shared_s) for s in ranked[:2])
    if second > best * (1 - _TIE):
        raise AmbiguousStream(
            f"it holds {len(streams)} streams and none stands out",
            where=description.root,
            remedy="write one of these into the column `stream`: "
            + ", ".join(s.name for s in streams),
        )
    others = ", ".join(s.name for s in ranked[1:])
    left = f"{others} {'is' if len(ranked) == 2 else 'are'} not"
    warning = (
        f"the recording holds {len(streams)} streams; {ranked[0].name} is used (the most channels "
        f"and time), {left}; to use another, write its name into the column `stream`"
    )
    return ranked[0], (warning,)


def _channel_seconds(stream: Stream, brain_only: bool, stop_s: float) -> float:
    n_channels = sum(1 for c in stream.channels if c.kind.is_brain or not brain_only)
    before_s = (min(span.stop_s, stop_s) - span.start_s for span in stream.spans)
    return n_channels * sum(max(0.0, part_s) for part_s in before_s)


def _list_files(path: Path) -> tuple[Path, ...]:
    """Files of a folder (not of its sub-folders), numbers in names in order of size."""
    try:
        if path.is_file():
            return (path,)
        if not path.is_dir():
            raise NoRecording(
                "there is no such file or folder",
                where=str(path),
                remedy="check the path, and that the disk or network share is connected",
            )
        with os.scandir(path) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
        files = [path / name for name in names]
    except OSError as error:
        raise BadRecording(
            f"it can't be opened ({error.strerror})",
            where=str(path),
            remedy="check that you may read it and that the disk is connected",
        ) from error
    return tuple(sorted(files, key=natural_key))


def _list_below(path: Path) -> tuple[Path, ...]:
    """Files in sub-folders, as far down as one recording goes; hidden ones are left out.

    Raises
    ------
    BadRecording
        There are too many to be of one recording.
    """
    found: list[Path] = []
    for folder, names, files in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        names[:] = sorted(
            (name for name in names if not name.startswith(".") and depth < _MAX_DEPTH),
            key=lambda name: natural_key(Path(name)),
        )
        if depth:
            shown = (Path(folder, name) for name in files if not name.startswith("."))
            found += sorted(shown, key=natural_key)
        if len(found) > _MAX_BELOW:
            raise BadRecording(
                f"the folder holds more than {_MAX_BELOW:,} files in its sub-folders",
                where=str(path),
                remedy="give the folder of one recording",
            )
    return tuple(found)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorts CSC2 before CSC10."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.lower())
        for part in re.findall(r"\d+|\D+", path.name)
    )


def _nothing_found(path: Path, files: tuple[Path, ...]) -> NoRecording:
    formats = ", ".join(r.title for r in READERS.values())
    below = _look_below(path) if path.is_dir() else []
    folders = _folders_with_recordings(below)
    if folders:
        return NoRecording(
            "the folder holds no recording itself, but its sub-folders do",
            where=str(path),
            remedy=f"give the path of one of them: {_shorten([str(f) for f in folders])}",
        )
    if (hint := _hint(path, (*files, *below))) is not None:
        return hint
    if not files:
        return NoRecording(
            "the folder is empty" if not below else "the folder holds no files but in sub-folders",
            where=str(path),
            remedy="check that it is the right folder and that the copy has ended",
        )
    endings = Counter(file.suffix.lower() or "without an ending" for file in files)
    found = ", ".join(
        f"{n} {ending}" if ending.startswith("without") else f"{n} x {ending}"
        for ending, n in endings.most_common(6)
    )
    return NoRecording(
        f"nothing here can be read as a recording (found {found})",
        where=str(path),
        remedy=f"formats that are read: {formats}",
    )


def _hint(path: Path, files: tuple[Path, ...]) -> NoRecording | None:
    """What to do with files that belong to a recording but are none."""
    what = remedy = ""
    for file in files:
        ending = file.suffix.lower()
        if file.name == "continuous.dat":
            folder = next((p for p in file.parents if p.name == "continuous"), file.parent).parent
            what = "samples of an Open Ephys recording, whose channels and gaps other files tell"
            remedy = f"give the recording's folder, with structure.oebin in it: {folder}"
        elif ending in (".nev", ".nvt"):
            what = "Neuralynx events or tracking (.nev, .nvt) but no samples (.ncs)"
            remedy = (
                "give a folder that holds the .ncs files too; to read events or tracking alone, "
                "use wakeful.read_nev or wakeful.read_nvt"
            )
        elif ending == ".meta" and not file.with_suffix(".bin").is_file():
            what = f"{file.name} describes samples, but {file.stem}.bin is not beside it"
            remedy = "copy the .bin file too"
        elif ending == ".meta":
            what = f"{file.name} only describes the samples"
            remedy = f"give the samples: {file.with_suffix('.bin')}"
        elif file.name.endswith(".flat.json"):
            what = f"{file.name} describes samples, but no .dat or .bin file of its name is there"
            remedy = "put it beside the samples: rec.flat.json describes rec.dat or rec.bin"
    return NoRecording(what, where=str(path), remedy=remedy) if what else None


def _look_below(path: Path) -> list[Path]:
    """Some of the files in sub-folders."""
    found: list[Path] = []
    for folder, names, files in os.walk(path):
        names.sort()
        if Path(folder) != path:
            found += [Path(folder, name) for name in sorted(files)]
        if len(found) > _MAX_LOOKED_AT:
            break
    return found


def _folders_with_recordings(files: list[Path]) -> list[Path]:
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    return [
        folder
        for folder, inside in folders.items()
        if any(r.sniff(tuple(inside)) for r in READERS.values())
    ]


def _shorten(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
