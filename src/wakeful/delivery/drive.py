"""Delivery to a folder in Google Drive.

Each file and folder gets its identifier from Google before it is made, and the identifier is kept
here before it is used: a kill or a lost answer never makes a second copy. Where what was kept is
lost, our files are known by properties that only this application's accounts see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from wakeful.delivery.drive_calls import FIELDS, FOLDER, AlreadyThere, Drive, NotThere, quoted
from wakeful.delivery.drive_upload import MD5_MARK, Wanted, send
from wakeful.delivery.interface import Delivered, Progress, TargetAway, foreign
from wakeful.delivery.local_files import LocalFile, read_local
from wakeful.delivery.state import Place, SessionState
from wakeful.google.account import Account
from wakeful.google.calls import GoogleRefused

_FILE_MARK = "wakefulFile"

OpenDrive = Callable[[], Drive]


class DriveTarget:
    """A folder in Google Drive.

    Parameters
    ----------
    open_drive : how it is reached
    folder : its identifier
    """

    def __init__(self, open_drive: OpenDrive, folder: str) -> None:
        self._open = open_drive
        self._folder = folder

    @classmethod
    def of(cls, account: Account, folder: str, *, patience_s: float) -> DriveTarget:
        """The folder, as an account sees it.

        Parameters
        ----------
        patience_s : how long Google may be away at a stretch
        """
        return cls(lambda: Drive(account, patience_s=patience_s), folder)

    def deliver(
        self, folder: Path, subject: str, session: str, state: SessionState, progress: Progress
    ) -> Delivered:
        """See `Target.deliver`."""
        local = read_local(folder)
        with self._open() as drive:
            found = check_folder(drive, self._folder)
            drive.shared_drive = found.get("driveId", "")
            there = _Session(drive, self._folder, subject, session, state)
            there.look(local)
            return there.bring(folder, local, progress)


def check_folder(drive: Drive, identifier: str) -> dict[str, Any]:
    """The folder to deliver into, as Drive describes it.

    Raises
    ------
    GoogleRefused
        It is not there for us, no folder, in the trash, or only to be read.
    """
    where = f"folder {identifier} in Google Drive"
    found = drive.find(identifier, where)
    if found is None:
        raise GoogleRefused(
            "there is no such folder, or it is not shared with us",
            where=where,
            remedy=f"correct drive_folder in wakeful.toml, or share the folder with "
            f"{drive.account} as an editor (in a Shared Drive: as a Content manager)",
        )
    where = f"folder {found['name']!r} in Google Drive"
    if found["mimeType"] != FOLDER:
        raise GoogleRefused(
            "is not a folder", where=where, remedy="write the address of a folder in drive_folder"
        )
    if found.get("trashed"):
        raise GoogleRefused(
            "is in the trash", where=where, remedy="restore it, or name another in drive_folder"
        )
    if not found.get("capabilities", {}).get("canAddChildren", True):
        raise GoogleRefused(
            "may only be read",
            where=where,
            remedy=f"share it with {drive.account} as an editor (in a Shared Drive: as a Content "
            "manager)",
        )
    return found


class _Session:
    """The session's folder in Drive.

    Parameters
    ----------
    drive : how Drive is reached
    root : identifier of the folder to deliver into
    subject, session : names of the folders below it
    state : what earlier deliveries left
    """

    def __init__(
        self, drive: Drive, root: str, subject: str, session: str, state: SessionState
    ) -> None:
        self._drive = drive
        self._root = root
        self._subject = subject
        self._session = session
        self._state = state
        self._subjects = SessionState.read(state.home / "folders.json")
        self._mine: dict[str, Any] | None = None
        """The session's folder, where it is there."""
        self._listed: dict[str, list[dict[str, Any]]] = {}
        """Folder below the session's ("" for itself) -> what lies in it."""
        self._found: dict[str, dict[str, Any]] = {}
        """Name -> our file there."""
        self._foreign: dict[str, dict[str, Any]] = {}
        """Name -> somebody else's file there."""
        self._where = f"{subject}/{session} in Google Drive"

    def look(self, local: dict[str, LocalFile]) -> None:
        """Find what is there of us, and refuse where somebody else's files are in the way."""
        known = self._subjects.folders.get(self._subject)
        above = self._look_for(known, self._subject, self._root)
        if above is not None:
            self._subjects.folders[self._subject] = Place(above["id"], is_made=True)
            self._subjects.save()
        parent = above["id"] if above is not None else ""
        self._mine = self._look_for(self._state.folders.get(""), self._session, parent)
        if self._mine is not None:
            self._state.folders[""] = Place(self._mine["id"], is_made=True)
            self._walk("", self._mine["id"], _folders_of(local))
            self._sort_out()
        for path, place in list(self._state.folders.items()):
            if place.is_made and path not in self._listed:
                del self._state.folders[path]
        for name, place in self._state.files.items():
            if name not in self._found:
                # Somebody removed it or took it elsewhere: made anew. One that we did not get to
                # see keeps the identifier under which it may be on its way.
                kept = "" if place.is_made else place.identifier
                upload = place.upload if kept and self._mine is not None else None
                self._state.files[name] = Place(kept, digests=place.digests, upload=upload)
        in_the_way = [n for n, file in local.items() if self._is_in_the_way(n, file)]
        if in_the_way:
            raise foreign(in_the_way, self._where)

    def bring(self, folder: Path, local: dict[str, LocalFile], progress: Progress) -> Delivered:
        """Send, remove, and say what was done."""
        # What somebody else put there, the same to the bit, is left as it is.
        ours = {n: f for n, f in local.items() if n in self._found or n not in self._foreign}
        mine, parents = self._make_folders(ours)
        self._claim(ours)
        total, done, n_sent = sum(f.size for f in ours.values()), 0, 0
        digests: dict[str, str] = {}
        progress(done, total)
        for name, file in ours.items():
            found = self._found.get(name)
            digests[name] = file.md5
            where = f"{name}, {self._where}"
            if found is not None and found.get("md5Checksum") == file.md5:
                self._put_name_back(name, found, where)
            else:
                wanted = Wanted(folder, file, parents[_folder_of(name)], _mark(name), where)
                told = partial(_tell, progress, done, total)
                digests[name] = send(self._drive, wanted, self._state, told).md5
                n_sent += 1
            done += file.size
            progress(min(done, total), total)
        n_removed, kept = self._remove_old(local)
        self._state.settle(digests)
        return Delivered(
            link=str(mine.get("webViewLink", "")),
            n_sent=n_sent,
            n_unchanged=len(local) - n_sent,
            n_removed=n_removed,
            kept=tuple(sorted(kept)),
        )

    # Finding.

    def _look_for(self, known: Place | None, name: str, parent: str) -> dict[str, Any] | None:
        """A folder by the identifier that was kept, else by its name."""
        if known is not None and known.identifier:
            found = self._drive.find(known.identifier, self._where)
            if found is not None and not found.get("trashed"):
                return found
        if not parent:
            return None
        also = f"name = {quoted(name)} and mimeType = {quoted(FOLDER)}"
        return next(iter(self._drive.children(parent, self._where, also)), None)

    def _walk(self, path: str, identifier: str, needed: set[str]) -> None:
        """List a folder, and those in it that are ours or needed."""
        self._listed[path] = self._drive.children(identifier, self._where)
        known = {place.identifier: name for name, place in self._state.folders.items()}
        folders = [child for child in self._listed[path] if child["mimeType"] == FOLDER]
        for child in sorted(folders, key=lambda c: c["id"] not in known):
            below = known.get(child["id"], _join(path, child["name"]))
            is_ours = child["id"] in known or _bears_mark(child, below)
            if below not in self._listed and (is_ours or below in needed):
                self._state.folders[below] = Place(child["id"], is_made=True)
                self._walk(below, child["id"], needed)

    def _sort_out(self) -> None:
        """Tell our files from those of others: by identifier, else by the mark they bear.

        Somebody's copy of a file of ours bears its mark, and another name; one that somebody
        changed, and of which we keep no identifier any more, is theirs.
        """
        known = {p.identifier: name for name, p in self._state.files.items() if p.identifier}
        others: dict[str, dict[str, Any]] = {}
        for path, children in self._listed.items():
            for child in children:
                name = known.get(child["id"], "")
                if name and _folder_of(name) == path:
                    self._found[name] = child
                elif child["mimeType"] != FOLDER:
                    others.setdefault(_join(path, child["name"]), child)
        for name, child in others.items():
            sent = _properties(child).get(MD5_MARK, "")
            is_ours = _bears_mark(child, name) and child.get("md5Checksum") == sent
            if name in self._found or not is_ours:
                self._foreign[name] = child
                continue
            self._found[name] = child
            self._state.files[name] = Place(child["id"], is_made=True, digests=[sent])

    def _is_in_the_way(self, name: str, file: LocalFile) -> bool:
        theirs = self._foreign.get(name)
        is_other = theirs is not None and theirs.get("md5Checksum") != file.md5
        return is_other and name not in self._found

    # Making.

    def _make_folders(self, ours: dict[str, LocalFile]) -> tuple[dict[str, Any], dict[str, str]]:
        """The session's folder, and path below it -> identifier of all that are needed."""
        mine = self._mine
        if mine is None:
            above = self._make_folder(self._subjects, self._subject, self._subject, self._root)
            mine = self._make_folder(self._state, "", self._session, above["id"])
        made = {"": str(mine["id"])}
        for path in sorted(_folders_of(ours)):
            place = self._state.folders.get(path)
            if place is not None and place.is_made:
                made[path] = place.identifier
                continue
            parent, name = made[_folder_of(path)], path.rpartition("/")[2]
            made[path] = self._make_folder(self._state, path, name, parent)["id"]
        return mine, made

    def _make_folder(
        self, state: SessionState, path: str, name: str, parent: str
    ) -> dict[str, Any]:
        """A folder, made once: its identifier is kept before it is made."""
        place = state.folders.get(path)
        if place is not None and place.is_made:
            found = self._drive.find(place.identifier, self._where)
            if found is not None and not found.get("trashed"):
                return found
            place = None
        if place is None:
            place = state.folders[path] = Place(self._drive.new_identifiers(1, self._where)[0])
            state.save()
        body = {
            "id": place.identifier,
            "name": name,
            "mimeType": FOLDER,
            "parents": [parent],
            "appProperties": _mark(path) if path else {},
        }
        request = self._drive.files.create(body=body, fields=FIELDS, supportsAllDrives=True)
        made: dict[str, Any] | None
        try:
            made = self._drive.run(request, self._where)
        except AlreadyThere:
            made = self._drive.find(place.identifier, self._where)
        except NotThere:
            raise _gone(self._where) from None
        if made is None or made.get("trashed"):  # made, and removed by somebody since
            del state.folders[path]
            return self._make_folder(state, path, name, parent)
        place.is_made = True
        state.save()
        return made

    def _claim(self, ours: dict[str, LocalFile]) -> None:
        """Keep the identifiers of all that will be made, before anything is."""
        files = self._state.files
        for name in ours:
            place = files.setdefault(name, Place())
            if name in self._found:
                place.identifier, place.is_made = self._found[name]["id"], True
        new = [name for name in ours if not files[name].identifier]
        made = self._drive.new_identifiers(len(new), self._where)
        for name, identifier in zip(new, made, strict=True):
            files[name].identifier = identifier
        self._state.claim({name: file.md5 for name, file in ours.items()})

    def _put_name_back(self, name: str, found: dict[str, Any], where: str) -> None:
        base = name.rpartition("/")[2]
        if found["name"] != base:
            request = self._drive.files.update(
                fileId=found["id"], body={"name": base}, fields="id", supportsAllDrives=True
            )
            try:
                self._drive.run(request, where)
            except NotThere:
                raise _gone(where) from None

    # Removing.

    def _remove_old(self, wanted: dict[str, LocalFile]) -> tuple[int, list[str]]:
        """How many files that are no longer part were removed, and which were not."""
        n_removed, kept = 0, []
        for name, found in self._found.items():
            if name in wanted:
                continue
            is_ours = found.get("md5Checksum") in self._state.files[name].digests
            if is_ours and self._drive.trash(found["id"], self._where):
                n_removed += 1
                self._listed[_folder_of(name)].remove(found)
            else:
                kept.append(name)
        for path in sorted(self._listed.keys() - _folders_of(wanted) - {""}, reverse=True):
            above = self._listed[_folder_of(path)]
            identifier = self._state.folders[path].identifier
            this = next((child for child in above if child["id"] == identifier), None)
            if this is None or self._listed[path] or not _bears_mark(this, path):
                continue
            if self._drive.trash(identifier, self._where):
                above.remove(this)
                del self._state.folders[path]
        return n_removed, kept


def _tell(progress: Progress, before: int, total: int, n_bytes: int) -> None:
    progress(min(before + n_bytes, total), total)


def _gone(where: str) -> TargetAway:
    return TargetAway(
        "a file or folder was removed while it was delivered",
        where=where,
        remedy="it is tried again after a while",
    )


def _mark(name: str) -> dict[str, str]:
    """Properties by which a file or folder is known again; Drive takes 124 bytes in each."""
    return {_FILE_MARK: hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:32]}


def _bears_mark(file: dict[str, Any], name: str) -> bool:
    return _properties(file).get(_FILE_MARK) == _mark(name)[_FILE_MARK]


def _properties(file: dict[str, Any]) -> dict[str, str]:
    return file.get("appProperties") or {}


def _folders_of(names: Iterable[str]) -> set[str]:
    """Folders that files lie in: of "a/b/c.png" these are "a" and "a/b"."""
    found: set[str] = set()
    for name in names:
        parts = name.split("/")[:-1]
        found |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
    return found


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
