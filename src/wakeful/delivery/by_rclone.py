"""Delivery to whatever rclone reaches: S3, SFTP, SMB, a web server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from wakeful.delivery.by_name import bring, make_link
from wakeful.delivery.interface import Delivered, NotDelivered, Progress, TargetAway
from wakeful.delivery.local_files import LocalFile
from wakeful.delivery.state import SessionState
from wakeful.io.mirror.rclone import Rclone, Unreachable
from wakeful.model.errors import BadConfig, BadRecording, NoRecording


class RcloneTarget:
    """A remote of rclone.

    Parameters
    ----------
    rclone : how it is called
    remote : where to, e.g. lab-s3:figures
    link : address under which people open it; "" where there is none
    """

    def __init__(self, rclone: Rclone, remote: str, link: str = "") -> None:
        self._rclone = rclone
        self._remote = remote.rstrip("/")
        self._link = link

    def deliver(
        self, folder: Path, subject: str, session: str, state: SessionState, progress: Progress
    ) -> Delivered:
        """See `Target.deliver`."""
        joint = "" if self._remote.endswith(":") else "/"
        place = f"{self._remote}{joint}{subject}/{session}"
        there = _Session(self._rclone, folder, place)
        try:
            return bring(
                there, folder, state, progress, make_link(self._link, place, subject, session)
            )
        except Unreachable as error:
            raise TargetAway(error.what, where=error.where, remedy=error.remedy) from None
        except (BadRecording, BadConfig) as error:
            raise NotDelivered(error.what, where=error.where, remedy=error.remedy) from None


class _Session:
    """The session's folder there."""

    def __init__(self, rclone: Rclone, folder: Path, place: str) -> None:
        self._rclone = rclone
        self._folder = folder
        self.where = place

    def read_md5(self, names: Iterable[str]) -> dict[str, str]:
        try:
            return self._rclone.read_md5(self.where, names)
        except NoRecording:
            return {}

    def send(self, files: Sequence[LocalFile], progress: Progress) -> None:
        names = [file.name for file in files]
        self._rclone.copy(
            str(self._folder), self.where, files=names, always=True, progress=progress
        )

    def remove(self, names: Sequence[str]) -> None:
        if not names:
            return
        self._rclone.delete(self.where, names)
        above = {str(p) for n in names for p in PurePosixPath(n).parents if str(p) != "."}
        for folder in sorted(above, key=len, reverse=True):
            self._rclone.remove_if_empty(f"{self.where}/{folder}")

    def tidy(self, names: Iterable[str]) -> None:
        # What rclone writes is called NAME.12345678.partial until it is whole.
        ours = set(names)
        try:
            there = [listed.file for listed in self._rclone.list_files(self.where)]
        except NoRecording:
            return
        left = [
            n for n in there if re.sub(r"\.[0-9a-z]{8}\.partial$", "", n) in ours and n not in ours
        ]
        if left:
            self._rclone.delete(self.where, left)
