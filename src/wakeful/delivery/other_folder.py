"""Delivery to another folder, on a NAS for example."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from wakeful.delivery.by_name import bring, make_link
from wakeful.delivery.interface import Delivered, NotDelivered, Progress, TargetAway
from wakeful.delivery.local_files import PIECE_BYTES, LocalFile, changed, md5_of
from wakeful.delivery.state import SessionState
from wakeful.io.atomic import sync_folder, write_json

_NOT_WHILE_SO = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL}


class FolderTarget:
    """A folder that other people see.

    Parameters
    ----------
    folder : it must be there; a NAS that is not mounted is waited for, never replaced by a folder
    link : address under which people open it; "" where they open the folder itself
    """

    def __init__(self, folder: Path, link: str = "") -> None:
        self._folder = folder
        self._link = link

    def deliver(
        self, folder: Path, subject: str, session: str, state: SessionState, progress: Progress
    ) -> Delivered:
        """See `Target.deliver`."""
        if not self._folder.is_dir():
            raise TargetAway(
                "the folder to deliver to is not there",
                where=str(self._folder),
                remedy="mount or make it; it is tried again after a while",
            )
        self._check_mount(state.home / "mount.json")
        there = _Session(self._folder, self._folder / subject / session)
        link = make_link(self._link, str(there.folder), subject, session)
        try:
            return bring(there, folder, state, progress, link)
        except OSError as error:
            where = str(error.filename or there.folder)
            if error.errno in _NOT_WHILE_SO:
                raise NotDelivered(
                    f"can't be written: {error.strerror}",
                    where=where,
                    remedy="give the account that Wakeful runs under the right to write there",
                ) from error
            raise TargetAway(
                f"can't be written now: {error.strerror or error}",
                where=where,
                remedy="check the disk or server and its room; it is tried again after a while",
            ) from error

    def _check_mount(self, known: Path) -> None:
        """Refuse the empty folder that is left where a NAS is not mounted."""
        now = self._folder.resolve()
        while not now.is_mount():
            now = now.parent
        try:
            before = json.loads(known.read_text(encoding="utf-8"))["mount"]
        except (OSError, ValueError, KeyError, TypeError):
            known.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(known, {"mount": str(now)})
            return
        if before != str(now):
            raise TargetAway(
                f"{before} is not mounted, in which it was before",
                where=str(self._folder),
                remedy=f"mount it; if it has moved for good, remove {known}",
            )


class _Session:
    """The session's folder there."""

    def __init__(self, base: Path, folder: Path) -> None:
        self._base = base
        self.folder = folder
        self.where = str(folder)

    def read_md5(self, names: Iterable[str]) -> dict[str, str]:
        found = {}
        for name in names:
            path = self.folder / name
            if path.is_symlink() or (path.exists() and not path.is_file()):
                found[name] = "not a file"
            elif path.is_file():
                found[name] = md5_of(path)[0]
        return found

    def send(self, files: Sequence[LocalFile], progress: Progress) -> None:
        done, total = 0, sum(file.size for file in files)
        for file in files:
            self._send(file)
            done += file.size
            progress(done, total)

    def _send(self, file: LocalFile) -> None:
        target = self.folder / file.name
        self._make_folders(target.parent)
        temporary = target.with_name(f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with file.path.open("rb") as source, temporary.open("wb") as sink:
                while piece := source.read(PIECE_BYTES):
                    digest.update(piece)
                    sink.write(piece)
                sink.flush()
                os.fsync(sink.fileno())
                # Read back from the disk, not from what this machine remembers of it.
                os.posix_fadvise(sink.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if digest.hexdigest() != file.md5:
                raise changed(file.path)
            if md5_of(temporary)[0] == file.md5:
                temporary.replace(target)
                sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def _make_folders(self, folder: Path) -> None:
        at = self._base
        for part in folder.relative_to(self._base).parts:
            parent, at = at, at / part
            if not at.is_dir():
                at.mkdir(exist_ok=True)
                sync_folder(parent)

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            path = self.folder / name
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
            for parent in PurePosixPath(name).parents:
                empty = self.folder / parent
                if empty == self.folder or any(empty.iterdir()):
                    break
                empty.rmdir()

    def tidy(self, names: Iterable[str]) -> None:
        for name in names:
            path = self.folder / name
            left = re.compile(rf"\.{re.escape(path.name)}\.\d+-[0-9a-f]{{8}}\.tmp")
            if path.parent.is_dir():
                for other in path.parent.iterdir():
                    if left.fullmatch(other.name):
                        other.unlink(missing_ok=True)
