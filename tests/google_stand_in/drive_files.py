"""What lies in the stand-in's Drive, who may do what with it, and what people do there by hand."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = "application/vnd.google-apps.folder"
ROLES = ("none", "reader", "commenter", "writer", "fileOrganizer", "organizer", "owner")
"""Each may do what those before it may. A "fileOrganizer" is what people see as Content manager."""


def is_service(email: str) -> bool:
    """Whether an account is a service account: it owns no room."""
    return email.endswith(".gserviceaccount.com")


@dataclass
class DriveFile:
    """A file or folder."""

    identifier: str
    name: str
    mime: str
    parent: str
    """Identifier of the folder or Shared Drive that it lies in; "" of a root."""
    owner: str
    """E-mail; "" in a Shared Drive."""
    drive: str = ""
    """The Shared Drive; "" in My Drive."""
    md5: str = ""
    size: int = 0
    trashed: bool = False
    properties: dict[str, str] = field(default_factory=dict)
    """appProperties."""
    revision: int = 1
    number: int = 0
    """Counts what was made; for the order."""
    shared_with: dict[str, str] = field(default_factory=dict)
    """E-mail -> role."""
    store: Files | None = field(default=None, repr=False)

    @property
    def is_folder(self) -> bool:
        return self.mime == FOLDER

    def is_gone(self) -> bool:
        """Whether it, or a folder that it lies in, is in the trash."""
        if self.trashed:
            return True
        above = self.store.files.get(self.parent) if self.store else None
        return above is not None and above.is_gone()


class Files:
    """All files, and the means to change them as people do in the browser."""

    def __init__(self) -> None:
        self.files: dict[str, DriveFile] = {}
        self.drives: dict[str, str] = {}
        """Shared Drive -> its name."""
        self.room: dict[str, int] = {}
        """Person's e-mail -> bytes that fit into their Drive; no entry: as much as they like."""
        self._folder: Path | None = None
        self._n_made = 0

    def close(self) -> None:
        """Give back the disk."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def new_identifier(self) -> str:
        return f"1{uuid.uuid4().hex}"

    # What people do.

    def make_shared_drive(self, name: str, members: dict[str, str]) -> str:
        """A Shared Drive with its members' roles; its root folder goes by the same identifier."""
        identifier = f"0A{uuid.uuid4().hex[:16]}"
        self.drives[identifier] = name
        self.files[identifier] = DriveFile(
            identifier, name, FOLDER, "", "", identifier, shared_with=dict(members), store=self
        )
        return identifier

    def make_folder(self, name: str, parent: str = "", *, by: str) -> str:
        """A folder that somebody makes, in their My Drive where no parent is given."""
        return self.add(name, FOLDER, parent or self.root_of(by), by).identifier

    def add_file(self, name: str, parent: str, content: bytes, *, by: str) -> str:
        """A file that somebody drops there."""
        file = self.add(name, "application/octet-stream", parent, by)
        self.put(file, content)
        return file.identifier

    def share(self, identifier: str, email: str, role: str) -> None:
        """Give somebody a role; "none" takes it away."""
        self.files[identifier].shared_with[email] = role

    def rename(self, identifier: str, name: str) -> None:
        self.files[identifier].name = name

    def move(self, identifier: str, parent: str) -> None:
        self.files[identifier].parent = parent

    def trash(self, identifier: str) -> None:
        self.files[identifier].trashed = True

    def edit(self, identifier: str, content: bytes) -> None:
        """Replace a file's content by hand."""
        self.put(self.files[identifier], content)

    # What tests look at.

    def content(self, identifier: str) -> bytes:
        return self.path_of(identifier).read_bytes()

    def children(self, identifier: str) -> list[DriveFile]:
        """What lies in a folder and not in the trash."""
        found = [f for f in self.files.values() if f.parent == identifier and not f.is_gone()]
        return sorted(found, key=lambda f: f.number)

    def tree(self, identifier: str) -> dict[str, list[DriveFile]]:
        """Path below a folder -> the files of that path: Drive takes two of one name."""
        found: dict[str, list[DriveFile]] = {}
        for child in self.children(identifier):
            if not child.is_folder:
                found.setdefault(child.name, []).append(child)
                continue
            for path, files in self.tree(child.identifier).items():
                found.setdefault(f"{child.name}/{path}", []).extend(files)
        return found

    def folders(self, identifier: str) -> list[str]:
        """Paths of all folders below a folder; one that is there twice is named twice."""
        found: list[str] = []
        for child in self.children(identifier):
            if child.is_folder:
                found += [
                    child.name,
                    *(f"{child.name}/{p}" for p in self.folders(child.identifier)),
                ]
        return found

    # What the service does.

    def add(self, name: str, mime: str, parent: str, owner: str, identifier: str = "") -> DriveFile:
        above = self.files[parent]
        self._n_made += 1
        file = DriveFile(
            identifier or self.new_identifier(),
            name,
            mime,
            parent,
            "" if above.drive else owner,
            above.drive,
            number=self._n_made,
            store=self,
        )
        self.files[file.identifier] = file
        return file

    def root_of(self, email: str) -> str:
        """The root of somebody's My Drive."""
        identifier = f"root-of-{email}"
        if identifier not in self.files:
            self.files[identifier] = DriveFile(
                identifier, "My Drive", FOLDER, "", email, store=self
            )
        return identifier

    def path_of(self, identifier: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="drive-stand-in-"))
        return self._folder / identifier

    def put(self, file: DriveFile, content: bytes | Path) -> None:
        """Give a file new content: bytes, or a file that is moved."""
        path = self.path_of(file.identifier)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.replace(path)
        with path.open("rb") as opened:
            file.md5 = hashlib.file_digest(opened, "md5").hexdigest()
        file.size = path.stat().st_size
        file.revision += 1

    def role(self, email: str, file: DriveFile) -> str:
        """The most that somebody may do with a file: by itself, or by a folder above it."""
        best, at = "none", file
        while True:
            said = "owner" if at.owner == email else at.shared_with.get(email, "none")
            best = max(best, said, key=ROLES.index)
            if at.parent not in self.files:
                return best
            at = self.files[at.parent]

    def may(self, email: str, file: DriveFile, role: str) -> bool:
        return ROLES.index(self.role(email, file)) >= ROLES.index(role)

    def may_trash(self, email: str, file: DriveFile) -> bool:
        if file.drive:
            return self.may(email, file, "fileOrganizer")
        return file.owner == email

    def used(self, email: str) -> int:
        return sum(f.size for f in self.files.values() if f.owner == email)

    def fits(self, file_owner: str, n_bytes: int) -> bool:
        """Whether so many bytes more fit; a Shared Drive's owner is ""."""
        if not file_owner:
            return True
        if is_service(file_owner):
            return n_bytes == 0
        room = self.room.get(file_owner)
        return room is None or self.used(file_owner) + n_bytes <= room

    def describe(self, file: DriveFile, email: str) -> dict[str, Any]:
        """A file as Drive describes it to somebody."""
        may_edit = self.may(email, file, "writer")
        kind = "drive/folders" if file.is_folder else "file/d"
        tail = "" if file.is_folder else "/view?usp=drivesdk"
        described: dict[str, Any] = {
            "kind": "drive#file",
            "id": file.identifier,
            "name": file.name,
            "mimeType": file.mime,
            "trashed": file.is_gone(),
            "explicitlyTrashed": file.trashed,
            "parents": [file.parent] if file.parent else [],
            "appProperties": dict(file.properties),
            "version": str(file.revision),
            "createdTime": f"2026-03-02T00:00:00.{file.number % 1000:03d}Z",
            "webViewLink": f"https://drive.google.com/{kind}/{file.identifier}{tail}",
            "ownedByMe": file.owner == email,
            "capabilities": {
                "canEdit": may_edit,
                "canAddChildren": may_edit and file.is_folder,
                "canTrash": self.may_trash(email, file),
                "canDelete": self.may(email, file, "organizer"),
            },
        }
        if file.drive:
            described["driveId"] = file.drive
        else:
            described["owners"] = [{"emailAddress": file.owner}]
        if not file.is_folder:
            described |= {
                "md5Checksum": file.md5,
                "size": str(file.size),
                "headRevisionId": f"{file.identifier}-{file.revision}",
            }
        return described
