"""The stand-in's Drive: files in folders, uploads in pieces.

    lab = google.drive.make_shared_drive("Lab", {SERVICE_EMAIL: "fileOrganizer"})
    figures = google.drive.make_folder("Figures", lab, by="ada@lab.org")
    ...                                       # something is uploaded
    google.drive.tree(figures)                # path -> the files of that path, with their MD5
    google.drive.rename(identifier, "other")  # a person in the browser

What Drive v3 does, and this does too: a file is seen only by whom it is shared with (404 else) and
changed only by writers (403 else); a Shared Drive is seen only by calls that say supportsAllDrives;
service accounts own no room in My Drive (403 storageQuotaExceeded); two files of one name may lie
in one folder; identifiers are made in advance (generateIds), and a second file of the same one is
refused (409). Uploads are simple, multipart, or resumable: a session's address, pieces that are
multiples of 256 KiB with Content-Range, 308 with Range while it goes on, 200 with the file when
it is whole, `bytes */N` to ask how far it is, 410 when the session has ended.
"""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.google_stand_in.drive_files import FOLDER, DriveFile, Files
from tests.google_stand_in.drive_query import BadQuery, read_query, select

if TYPE_CHECKING:
    from tests.google_stand_in.server import Answer, Asked, GoogleStandIn

_GRANULE = 256 * 1024
_FILES = re.compile(r"(/upload)?/drive/v3/files(?:/([\w-]+))?(?:/(permissions))?")
_DRIVES = re.compile(r"/drive/v3/drives/([\w-]+)")
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


class Refusal(Exception):
    """What is answered instead."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass
class Upload:
    """A resumable upload that was begun."""

    identifier: str
    account: str
    metadata: dict[str, Any]
    replaces: str
    """The file that gets new content; "" where a new one is made."""
    size: int
    path: Path
    fields: str
    n_bytes: int = 0
    whole: Answer | None = None
    """What was answered when it was whole."""
    has_ended: bool = False


class DriveStandIn(Files):
    """Folders and files."""

    def __init__(self, google: GoogleStandIn) -> None:
        super().__init__()
        self._google = google
        self.uploads: dict[str, Upload] = {}
        self.spare: set[str] = set()
        """Identifiers that were given out and not used yet."""
        self.page_size = 1000
        """No page holds more."""

    def end_uploads(self) -> None:
        """All upload sessions that are not whole end now, as they do after a week."""
        for upload in self.uploads.values():
            upload.has_ended = upload.whole is None

    def answer(self, asked: Asked) -> Answer | None:
        """None where the path is no call of Drive."""
        from tests.google_stand_in.server import Answer, refusal

        try:
            if asked.path == "/drive/v3/about":
                return Answer(200, select(self._about(asked.account), asked.one("fields")))
            if found := _DRIVES.fullmatch(asked.path):
                return self._drive(asked, found[1])
            if found := _FILES.fullmatch(asked.path):
                return self._files(asked, found[2] or "", is_upload=bool(found[1]), part=found[3])
        except Refusal as refused:
            return refused.answer
        except BadQuery as error:
            return refusal(400, f"Invalid Value: {error}", "invalid")
        return None

    def _files(self, asked: Asked, identifier: str, *, is_upload: bool, part: str | None) -> Answer:
        from tests.google_stand_in.server import Answer, refusal

        if part == "permissions":
            file = self._find(asked, identifier)
            return Answer(200, {"permissions": self._permissions(file)})
        if is_upload and asked.one("upload_id"):
            return self._go_on(asked)
        if asked.is_cut:
            return refusal(400, "the request did not come whole", "badRequest")
        if identifier == "generateIds":
            made = [self.new_identifier() for _ in range(int(asked.one("count", "10")))]
            self.spare |= set(made)
            return Answer(200, {"kind": "drive#generatedIds", "space": "drive", "ids": made})
        match asked.method, bool(identifier):
            case "GET", False:
                return self._list(asked)
            case "GET", True:
                file = self._find(asked, identifier)
                if asked.one("alt") == "media":
                    kind = {"Content-Type": "application/octet-stream"}
                    return Answer(200, self.content(identifier), kind)
                return self._described(file, asked)
            case "DELETE", True:
                file = self._find(
                    asked, identifier, "owner" if not self._is_shared(identifier) else "organizer"
                )
                del self.files[file.identifier]
                return Answer(204)
            case ("POST", False) | ("PATCH", True):
                return self._write(asked, identifier, is_upload=is_upload)
        return refusal(405, "not allowed", "methodNotAllowed")

    def _is_shared(self, identifier: str) -> bool:
        return identifier in self.files and bool(self.files[identifier].drive)

    def _write(self, asked: Asked, identifier: str, *, is_upload: bool) -> Answer:
        kind = asked.one("uploadType") if is_upload else ""
        if kind == "resumable":
            return self._begin(asked, identifier)
        metadata, content = asked.json() if not is_upload else {}, None
        if kind == "media":
            content = asked.body
        elif kind == "multipart":
            metadata, content = _read_multipart(asked)
        file = self._place(asked.account, asked, metadata, identifier, len(content or b""))
        self._change(file, asked, metadata)
        if content is not None:
            self.put(file, content)
        return self._described(file, asked)

    def _place(
        self, account: str, asked: Asked, metadata: dict[str, Any], identifier: str, n_bytes: int
    ) -> DriveFile:
        """The file that is written: the one of this identifier, or a new one."""
        from tests.google_stand_in.server import refusal

        self._check(account, asked, metadata, identifier, n_bytes)
        if identifier:
            return self.files[identifier]
        wanted = metadata.get("id", "")
        if wanted in self.files:
            raise Refusal(
                refusal(409, "A file already exists with the provided ID.", "fileIdInUse")
            )
        if wanted and wanted not in self.spare:
            raise Refusal(refusal(400, "The provided file ID is not usable.", "invalid"))
        self.spare.discard(wanted)
        parent = (metadata.get("parents") or [self.root_of(account)])[0]
        mime = metadata.get("mimeType", "application/octet-stream")
        return self.add(metadata.get("name", "Untitled"), mime, parent, account, wanted)

    def _check(
        self, account: str, asked: Asked, metadata: dict[str, Any], identifier: str, n_bytes: int
    ) -> None:
        """Refuse what this account may not write."""
        from tests.google_stand_in.server import refusal

        if identifier:
            file = self._find(asked, identifier, "writer")
            owner, more = file.owner, n_bytes - file.size
        else:
            if metadata.get("id", "") in self.files:
                raise Refusal(
                    refusal(409, "A file already exists with the provided ID.", "fileIdInUse")
                )
            parent = (metadata.get("parents") or [self.root_of(account)])[0]
            above = self._find(asked, parent, "writer")
            owner, more = "" if above.drive else account, n_bytes
        if more > 0 and not self.fits(owner, more):
            raise Refusal(
                refusal(
                    403,
                    "The user's Drive storage quota has been exceeded.",
                    "storageQuotaExceeded",
                )
            )

    def _change(self, file: DriveFile, asked: Asked, metadata: dict[str, Any]) -> None:
        from tests.google_stand_in.server import refusal

        if "trashed" in metadata:
            if not self.may_trash(asked.account, file):
                raise Refusal(
                    refusal(403, "may not be moved to the trash", "insufficientFilePermissions")
                )
            file.trashed = bool(metadata["trashed"])
        file.name = metadata.get("name", file.name)
        file.mime = metadata.get("mimeType", file.mime)
        for key, value in metadata.get("appProperties", {}).items():
            if len(key.encode()) + len(value.encode()) > 124:
                raise Refusal(refusal(403, "a property is too long", "propertyLengthExceeded"))
            file.properties[key] = value
        if added := asked.one("addParents"):
            file.parent = added

    def _begin(self, asked: Asked, replaces: str) -> Answer:
        """Begin a resumable upload."""
        from tests.google_stand_in.server import Answer

        size = int(asked.headers.get("x-upload-content-length", "0"))
        metadata = asked.json()
        self._check(asked.account, asked, metadata, replaces, size)
        if "x-upload-content-type" in asked.headers:
            metadata.setdefault("mimeType", asked.headers["x-upload-content-type"])
        key = f"AHmUCY{self.new_identifier()}"
        self.uploads[key] = Upload(
            key, asked.account, metadata, replaces, size, self.path_of(f"{key}.part"),
            asked.one("fields"),
        )  # fmt: skip
        self.uploads[key].path.touch()
        return Answer(
            200, None, {"Location": f"{self._google.address}{asked.path}?uploadType=resumable&"
                        f"upload_id={key}", "X-GUploader-UploadID": key}
        )  # fmt: skip

    def _go_on(self, asked: Asked) -> Answer:
        """A piece of a resumable upload, or the question how far it is."""
        from tests.google_stand_in.server import refusal

        upload = self.uploads.get(asked.one("upload_id"))
        if upload is None:
            return refusal(404, "there is no such upload", "notFound")
        if upload.has_ended:
            return refusal(410, "the upload session has ended", "gone")
        if upload.whole is not None:
            return upload.whole
        told = asked.headers.get("content-range", "")
        found = _RANGE.fullmatch(told)
        if told and found is None:
            return refusal(400, f"bad Content-Range {told}", "badRequest")
        if found is not None and found[1] is None:
            return self._how_far(asked, upload)
        start = int(found[1]) if found else 0
        if start != upload.n_bytes:
            return self._how_far(asked, upload)
        body = asked.body
        is_last = found is None or int(found[2]) + 1 == int(found[3])
        if found is not None and not asked.is_cut:
            if len(body) != int(found[2]) - start + 1:
                return refusal(400, "the length is not that of Content-Range", "badRequest")
            if not is_last and len(body) % _GRANULE:
                return refusal(400, "pieces are multiples of 256 KiB", "badRequest")
        if asked.is_cut:
            body = body[: len(body) - len(body) % _GRANULE]
        with upload.path.open("ab") as file:
            file.write(body)
        upload.n_bytes += len(body)
        return self._how_far(asked, upload)

    def _how_far(self, asked: Asked, upload: Upload) -> Answer:
        from tests.google_stand_in.server import Answer

        if upload.n_bytes < upload.size or asked.is_cut:
            headers = {"X-GUploader-UploadID": upload.identifier}
            if upload.n_bytes:
                headers["Range"] = f"bytes=0-{upload.n_bytes - 1}"
            return Answer(308, None, headers)
        file = self._place(upload.account, asked, upload.metadata, upload.replaces, upload.n_bytes)
        self._change(file, asked, upload.metadata)
        self.put(file, upload.path)
        described = self.describe(file, upload.account)
        upload.whole = Answer(200, select(described, upload.fields))
        return upload.whole

    def _list(self, asked: Asked) -> Answer:
        from tests.google_stand_in.server import Answer

        matches = read_query(asked.one("q"))
        sees_drives = asked.one("includeItemsFromAllDrives") == "true"
        found = [
            file
            for file in sorted(self.files.values(), key=lambda f: f.number)
            if file.parent
            and self.may(asked.account, file, "reader")
            and (sees_drives or not file.drive)
            and matches(file)
        ]
        start = int(asked.one("pageToken", "0"))
        stop = start + min(int(asked.one("pageSize", "100")), self.page_size)
        tree: dict[str, Any] = {
            "kind": "drive#fileList",
            "incompleteSearch": False,
            "files": [self.describe(file, asked.account) for file in found[start:stop]],
        }
        if stop < len(found):
            tree["nextPageToken"] = str(stop)
        default = "nextPageToken,files(kind,id,name,mimeType)"
        return Answer(200, select(tree, asked.one("fields", default)))

    def _find(self, asked: Asked, identifier: str, role: str = "reader") -> DriveFile:
        """A file that this account may do so much with."""
        from tests.google_stand_in.server import refusal

        if identifier == "root":
            identifier = self.root_of(asked.account)
        file = self.files.get(identifier)
        # The later calls of an upload do not say it again: its session knows.
        sees = asked.one("supportsAllDrives") == "true" or bool(asked.one("upload_id"))
        if file is None or not self.may(asked.account, file, "reader") or (file.drive and not sees):
            raise Refusal(refusal(404, f"File not found: {identifier}.", "notFound"))
        if not self.may(asked.account, file, role):
            raise Refusal(
                refusal(
                    403,
                    "The user does not have sufficient permissions for this file.",
                    "insufficientFilePermissions",
                )
            )
        return file

    def _described(self, file: DriveFile, asked: Asked) -> Answer:
        from tests.google_stand_in.server import Answer

        described = self.describe(file, asked.account)
        return Answer(200, select(described, asked.one("fields", "kind,id,name,mimeType")))

    def _permissions(self, file: DriveFile) -> list[dict[str, str]]:
        found = [{"emailAddress": who, "role": role} for who, role in file.shared_with.items()]
        return [{"emailAddress": file.owner, "role": "owner"}, *found] if file.owner else found

    def _drive(self, asked: Asked, identifier: str) -> Answer:
        from tests.google_stand_in.server import Answer, refusal

        file = self.files.get(identifier)
        if identifier not in self.drives or file is None:
            return refusal(404, f"Shared drive not found: {identifier}", "notFound")
        if not self.may(asked.account, file, "reader"):
            return refusal(404, f"Shared drive not found: {identifier}", "notFound")
        return Answer(200, {"kind": "drive#drive", "id": identifier, "name": file.name})

    def _about(self, account: str) -> dict[str, Any]:
        from tests.google_stand_in.drive_files import is_service

        quota: dict[str, str] = {"usage": str(self.used(account))}
        if is_service(account):
            quota["limit"] = "0"
        elif account in self.room:
            quota["limit"] = str(self.room[account])
        return {"kind": "drive#about", "user": {"emailAddress": account}, "storageQuota": quota}


def _read_multipart(asked: Asked) -> tuple[dict[str, Any], bytes]:
    import json

    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + asked.body, policy=email.policy.HTTP)
    metadata, content = list(message.iter_parts())
    kind = content.get_content_type()
    raw = content.get_payload(decode=True)
    assert isinstance(raw, bytes)
    read: dict[str, Any] = json.loads(metadata.get_payload(decode=True))
    read.setdefault("mimeType", kind)
    return read, raw


__all__ = ["FOLDER", "DriveFile", "DriveStandIn"]
