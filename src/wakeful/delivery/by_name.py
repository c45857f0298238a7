"""Delivery to places that know files by their names alone: folders, and what rclone reaches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from wakeful.delivery.interface import Delivered, NotDelivered, Progress, foreign
from wakeful.delivery.local_files import LocalFile, read_file, read_local
from wakeful.delivery.state import SessionState

_TRIES = 3


class NamedFiles(Protocol):
    """A session's folder at such a place."""

    where: str
    """For messages."""

    def read_md5(self, names: Iterable[str]) -> dict[str, str]:
        """MD5 of those of the files that are there."""
        ...

    def send(self, files: Sequence[LocalFile], progress: Progress) -> None:
        """Put files there, over what has their names; none is seen half written."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, and folders that are empty then."""
        ...

    def tidy(self, names: Iterable[str]) -> None:
        """Remove what a kill left half sent of these."""
        ...


def bring(
    there: NamedFiles, folder: Path, state: SessionState, progress: Progress, link: str
) -> Delivered:
    """Make a place hold what a published folder holds; see `Target`."""
    local = read_local(folder)
    found = there.read_md5({*local, *state.files})
    unchanged = {name for name, file in local.items() if found.get(name) == file.md5}
    in_the_way = [n for n in local if n in found and n not in unchanged and n not in state.files]
    if in_the_way:
        raise foreign(in_the_way, there.where)
    state.claim({name: file.md5 for name, file in local.items()})
    there.tidy(state.files)
    to_send = [file for name, file in local.items() if name not in unchanged]
    total = sum(file.size for file in local.values())
    before = total - sum(file.size for file in to_send)
    progress(before, total)
    wrong = to_send
    for _ in range(_TRIES):
        if not wrong:
            break
        there.send(wrong, lambda done, _: progress(min(before + done, total), total))
        arrived = there.read_md5([file.name for file in wrong])
        wrong = [file for file in wrong if arrived.get(file.name) != file.md5]
        # What was published anew meanwhile is not what was asked for: sent as it is now.
        for file in list(wrong):
            now = read_file(folder, file.name)
            wrong[wrong.index(file)] = local[file.name] = now
        state.claim({file.name: file.md5 for file in wrong})
    if wrong:
        raise NotDelivered(
            f"{', '.join(f.name for f in wrong[:5])}: other bytes arrive than were sent, "
            f"{_TRIES} times",
            where=there.where,
            remedy="check the disk or server there, and the network between",
        )
    old = {name: place for name, place in state.files.items() if name not in local}
    removable = [n for n, place in old.items() if found.get(n) in place.digests and n in found]
    there.remove(removable)
    state.settle({name: file.md5 for name, file in local.items()})
    progress(total, total)
    return Delivered(
        link=link,
        n_sent=len(to_send),
        n_unchanged=len(unchanged),
        n_removed=len(removable),
        kept=tuple(sorted(n for n in old if n in found and n not in removable)),
    )


def make_link(base: str, place: str, subject: str, session: str) -> str:
    """Where people find a session: under the address that the lab gave, else where it lies."""
    if not base:
        return place
    return f"{base.rstrip('/')}/{quote(subject)}/{quote(session)}/"
