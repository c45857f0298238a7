"""Getting a row's recording in: whole, or as much of it as is there while it goes on.

A transfer is a job like any other. While a recording goes on, one is started whenever a file has a
whole granule more, and what earlier ones have verified is analysed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from wakeful.config import Library
from wakeful.io.channels_file import FILE_NAME as CHANNELS_FILE
from wakeful.io.mirror import (
    DATA_NAME,
    GRANULE,
    MANIFEST_NAME,
    Ending,
    Manifest,
    base_of,
    intake_folder,
    is_current,
    look_at,
    plainly,
    read_manifest,
    source_files,
)
from wakeful.io.recording import recognise
from wakeful.ledger import RunState
from wakeful.model.errors import WakefulError
from wakeful.pipeline.keys import digest
from wakeful.service.driver import Driver, DriveState
from wakeful.service.room import Room
from wakeful.service.work import Work, signature_of
from wakeful.sheet.interface import Status

_AGAIN_S = 30.0
"""A transfer that found nothing it could take yet (room that is reserved and not written, a file
that has to wait for the one before it) is tried again after this."""

Begin = Callable[[Work, RunState], None]
"""Notes in the ledger how far a row's run is."""


class Intake:
    """Keeps the manifests of a library's rows up to date with their sources.

    Parameters
    ----------
    library : where recordings are taken in, and how
    driver : runs the transfers
    room : on the disks
    begin : told when a row's transfer starts
    """

    def __init__(self, library: Library, driver: Driver, room: Room, begin: Begin) -> None:
        self._library = library
        self._driver = driver
        self._room = room
        self._begin = begin
        self._manifests: dict[Path, tuple[tuple[int, int], Manifest | None]] = {}
        self._latest: dict[Path, tuple[str, float]] = {}
        """Intake folder -> the last transfer into it, and when that was last seen to run."""
        self._once: set[Path] | None = None

    def follow_once(self) -> None:
        """From now on take in of each recording that goes on what is there, and nothing after."""
        if self._once is None:
            self._once = {
                folder
                for folder, (name, _) in self._latest.items()
                if self._driver.state(name)[0] is DriveState.RUNNING
            }

    def follow_on(self) -> None:
        """Take in whatever comes."""
        self._once = None

    @property
    def _in_place(self) -> bool:
        return self._library.config.work.transfer == "in-place"

    def folder_of(self, work: Work) -> Path:
        """Where the manifest of a row's recording lies."""
        return intake_folder(self._library.raw, work.request.recording)

    def bring(self, work: Work) -> bool:
        """Start what has to be started; True where there is something to analyse.

        `work.manifest` is then the newest one, and `work.growing` says whether more will come.
        Where there is nothing yet, the row's status says what is waited for.
        """
        return plainly(work.request.recording, lambda: self._bring(work))

    def _bring(self, work: Work) -> bool:
        source, folder = work.request.recording, self.folder_of(work)
        manifest = self._manifest(folder)
        if manifest is not None and not self._fits(manifest):
            manifest = None
        whole = manifest is not None and manifest.complete
        if whole and manifest is not None and is_current(manifest, source, in_place=self._in_place):
            return self._hand_over(work, manifest)
        reader, _ = recognise(source)  # before terabytes are copied that nothing can read
        reason = self._why_growing(source)
        follow = reader.follows and self._library.config.work.follow
        if reason and not follow:
            work.growing = True
            work.status, work.message = Status.WAITING, reason
            return False
        work.growing = bool(reason)
        if not reason or (self._may_follow(source, folder) and self._has_news(source, manifest)):
            self._transfer(work, source, folder, following=bool(reason))
        elif manifest is None:
            work.status, work.message = Status.WAITING, reason
        elif whole:  # it had ended, and goes on again
            work.status, work.message = Status.FOLLOWING, reason
        if manifest is None or whole:
            return False
        if not _has_channels_file(source, manifest):
            # Without it channels would be named one way now and another way later.
            work.status = Status.WAITING
            work.message = f"{CHANNELS_FILE} was changed just now: it is read once it has settled"
            return False
        return self._hand_over(work, manifest)

    def _fits(self, manifest: Manifest) -> bool:
        return manifest.in_place == self._in_place

    def _hand_over(self, work: Work, manifest: Manifest) -> bool:
        if manifest != work.manifest:
            work.manifest, work.plan = manifest, None
            work.taken_in = signature_of(work.request)
        return True

    def _why_growing(self, source: Path) -> str:
        work = self._library.config.work
        look = look_at(source, Ending(settle_s=work.settle_s, marker=work.finished_marker))
        if look.ended:
            return ""
        return f"{look.why}: it is still being written"

    def _transfer(self, work: Work, source: Path, folder: Path, *, following: bool) -> None:
        config = self._library.config.work
        name = _name_of(source, folder, following=following)
        state, message, fraction = self._driver.state(name)
        if state is DriveState.FAILED:
            self._driver.forget(name)
            raise WakefulError(message, where=str(source))
        if state is DriveState.DONE:
            # Its manifest does not fit any more: the source changed while it was copied.
            self._driver.forget(name)
        is_running = state is DriveState.RUNNING
        if reason := self._why_no_room(source, folder, is_running=is_running):
            work.status, work.message, work.lacks_room = Status.WAITING, reason, True
            return
        self._begin(work, RunState.TRANSFERRING)
        self._driver.start(
            name,
            {
                "kind": "take_in",
                "source": str(source),
                "folder": str(folder),
                "in_place": self._in_place,
                "following": following,
                "settle_s": config.settle_s,
                "finished_marker": config.finished_marker,
                "bandwidth_mb_per_s": config.bandwidth_mb_per_s,
            },
            work.run_id,
            (),
        )
        if self._driver.state(name)[0] is DriveState.RUNNING:
            self._latest[folder] = (name, time.monotonic())
            if self._once is not None:
                self._once.add(folder)
        if following and work.published:
            return  # the row shows what there is by now
        work.status = Status.TRANSFERRING
        work.progress = f"{fraction:.0%}"
        work.message = message

    def _why_no_room(self, source: Path, folder: Path, *, is_running: bool) -> str:
        """Why what is still to be copied of a source does not fit; "" where it does.

        What runs goes on; what it has still to write is kept for it.
        """
        if self._in_place:
            return ""
        base, to_come = base_of(source), 0
        for path in source_files(source):
            copy = folder / DATA_NAME / path.relative_to(base)
            here = copy.stat().st_size if copy.is_file() else 0
            to_come += max(0, path.stat().st_size - here)
        owner = f"take in {folder}"
        if is_running:
            self._room.promise(folder, to_come, owner)
            return ""
        return self._room.why_not(folder, to_come, owner) if to_come else ""

    def _may_follow(self, source: Path, folder: Path) -> bool:
        """Whether a transfer of what goes on may be started."""
        name, seen = self._latest.get(folder, ("", 0.0))
        if self._driver.state(name)[0] is DriveState.RUNNING:
            return True
        if self._once is not None and folder in self._once:
            return False
        is_old = time.monotonic() - seen >= _AGAIN_S
        return is_old or name != _name_of(source, folder, following=True)

    def _has_news(self, source: Path, manifest: Manifest | None) -> bool:
        """Whether there is something to take in of a source that goes on.

        A file has a whole granule more than was taken in, or the channels file has settled.
        """
        known = {} if manifest is None else {entry.file: entry.bytes for entry in manifest.files}
        base = source if source.is_dir() else source.parent
        if any(
            path.stat().st_size - known.get(path.relative_to(base).as_posix(), 0) >= GRANULE
            for path in source_files(source)
        ):
            return True
        if manifest is None or _has_channels_file(source, manifest):
            return False
        age_s = time.time() - (base / CHANNELS_FILE).stat().st_mtime
        return abs(age_s) >= self._library.config.work.settle_s

    def _manifest(self, folder: Path) -> Manifest | None:
        """The manifest in an intake folder; parsed again only when it has changed."""
        try:
            stat = (folder / MANIFEST_NAME).stat()
        except FileNotFoundError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        if self._manifests.get(folder, ((0, 0), None))[0] != stamp:
            self._manifests[folder] = (stamp, read_manifest(folder))
        return self._manifests[folder][1]


def _has_channels_file(source: Path, manifest: Manifest) -> bool:
    """Whether the source's channels file, where it has one, was taken in as it is."""
    table = (source if source.is_dir() else source.parent) / CHANNELS_FILE
    if not table.is_file():
        return True
    taken = [entry.bytes for entry in manifest.files if entry.file == CHANNELS_FILE]
    return taken == [table.stat().st_size]


def _name_of(source: Path, folder: Path, *, following: bool) -> str:
    """Names one transfer: of files as they are, or of the whole granules that they have by now."""
    stats = [(str(path), path.stat()) for path in source_files(source)]
    stamp = digest(
        [(path, stat.st_size // GRANULE) for path, stat in stats]
        if following
        else [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    )
    return f"{_TRANSFER}{folder.name[-8:]}-{stamp[:12]}"


_TRANSFER = "intake-"


def is_transfer(name: str) -> bool:
    """Whether a job of this name takes a recording in."""
    return name.startswith(_TRANSFER)
