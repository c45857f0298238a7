"""Taking a recording in, pass after pass: a verified copy, or a hash of it where it is."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wakeful.io.holding import HeldElsewhere, Hold, hold
from wakeful.io.mirror.carrying import OnVerified, SourceChanged
from wakeful.io.mirror.ending import Ending, Look, look_at
from wakeful.io.mirror.journal import JOURNAL_NAME, Journal
from wakeful.io.mirror.manifest import Manifest, source_files
from wakeful.io.mirror.older import convert_older, is_older_intake
from wakeful.io.mirror.pace import Pace
from wakeful.io.mirror.passes import Pass, Progress
from wakeful.model.errors import BadRecording, StillGrowing

_Given = TypeVar("_Given")

_LOCK_NAME = ".lock"
_LOCK_WAIT_S = 5.0


class TakenInElsewhere(BadRecording):
    """Another process takes the recording in; worth another try later."""


def hold_intake(folder: Path, source: str) -> Hold:
    """Hold an intake folder, so that nobody else changes what is in it.

    Raises
    ------
    TakenInElsewhere
        Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return hold(folder / _LOCK_NAME, wait_s=_LOCK_WAIT_S)
    except HeldElsewhere as error:
        raise TakenInElsewhere(
            "another process takes this recording in now",
            where=source,
            remedy="run the row again when that has ended",
        ) from error


def take_in(
    source: Path,
    folder: Path,
    *,
    in_place: bool,
    progress: Progress | None = None,
    following: bool = False,
    ending: Ending | None = None,
    bandwidth_mb_per_s: float = 0.0,
    on_verified: OnVerified | None = None,
) -> Manifest:
    """Copy a recording into `folder`, or hash it where it is; goes on where a killed pass ended.

    Parameters
    ----------
    source : file or folder
    folder : the intake folder
    in_place : hash only
    progress : called with bytes done and in all
    following : the source may still be growing. Of a file that does, only whole pieces are taken;
        the manifest says `complete` once the source is found to have ended. The next call goes on
        from there and reads nothing that the journal vouches for.
    ending : how it is known that the source has ended; matters only while following
    bandwidth_mb_per_s : at most so many megabytes (10^6 bytes) a second are read from the source;
        0 for no limit
    on_verified : called with the file to read, the first byte, one past the last, and the bytes,
        for each piece that has just been verified; a file's pieces come in order, and what was
        verified by an earlier call does not come again. It holds up the copying while it runs.

    Returns
    -------
    What was taken in.

    Raises
    ------
    TakenInElsewhere
        Another process takes this recording in at this moment.
    StillGrowing
        A file changed while it was read, and nobody had said that the source is growing.
    BadRecording
        The copy read back differs, or there is no room for what has to be copied yet.
    """
    if not is_older_intake(folder):
        source_files(source)  # raises where nothing is there, before a folder is made
    with hold_intake(folder, str(source)):
        converted = convert_older(folder)
        if converted is not None and not source.exists():
            return converted
        return plainly(
            source,
            lambda: _run(
                source,
                folder,
                in_place=in_place,
                look=look_at(source, ending or Ending()) if following else None,
                pace=Pace(bandwidth_mb_per_s),
                progress=progress,
                on_verified=on_verified,
            ),
        )


def plainly(source: Path, work: Callable[[], _Given]) -> _Given:
    """What a piece of work on a source gives; the system's errors are said in plain words.

    Raises
    ------
    StillGrowing
        A file went away.
    BadRecording
        A disk is full, broken or may not be used.
    """
    try:
        return work()
    except FileNotFoundError as error:
        raise StillGrowing(
            "went away while it was taken in",
            where=str(error.filename or source),
            remedy="it is looked at again on the next pass",
        ) from error
    except OSError as error:
        where = str(error.filename or source)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BadRecording(
                "the disk is full", where=where, remedy="make room; it goes on where it stopped"
            ) from error
        if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN):
            raise BadRecording(
                f"can't be read or written any more ({error.strerror})",
                where=where,
                remedy="check the disk, the cable or the network share; it goes on where it "
                "stopped",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BadRecording(
                "may not be read or written",
                where=where,
                remedy="give the user who runs this the permission",
            ) from error
        raise


def _run(
    source: Path,
    folder: Path,
    *,
    in_place: bool,
    look: Look | None,
    pace: Pace,
    progress: Progress | None,
    on_verified: OnVerified | None,
) -> Manifest:
    with Journal(folder / JOURNAL_NAME) as journal:
        this = Pass(source, folder, journal, in_place=in_place, look=look)
        while True:
            try:
                this.run(pace, progress, on_verified)
                break
            except SourceChanged as changed:
                this.begin_anew(changed.name)
        this.set_strangers_aside()
        return this.conclude()
