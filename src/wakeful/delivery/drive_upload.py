"""One file into Google Drive: in pieces, from where it was broken off, checked at the end."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakeful.delivery.drive_calls import FIELDS, AlreadyThere, Drive, NotThere
from wakeful.delivery.interface import NotDelivered, TargetAway
from wakeful.delivery.local_files import PIECE_BYTES, LocalFile, changed, read_file
from wakeful.delivery.state import Place, SessionState, Upload
from wakeful.google.calls import redirect

MD5_MARK = "wakefulMd5"
"""Property of a file there: MD5 of what we sent last."""
_TRIES = 3
_SESSIONS = 20
"""A file whose upload ends so often before it is whole is given up."""


@dataclass(frozen=True)
class Wanted:
    """A file as it should be there."""

    folder: Path
    """The published folder here."""
    file: LocalFile
    parent: str
    """Identifier of the folder there."""
    mark: dict[str, str]
    """appProperties by which we know it again."""
    where: str
    """For messages."""

    @property
    def base(self) -> str:
        """Its name in its folder."""
        return self.file.name.rpartition("/")[2]


def send(
    drive: Drive, wanted: Wanted, state: SessionState, progress: Callable[[int], None]
) -> LocalFile:
    """Make or update one file there; gives it as it was sent.

    Parameters
    ----------
    state : holds the identifier that the file has, or gets; kept before each step that must not
        be done twice
    progress : told how many bytes of it are there

    Raises
    ------
    NotDelivered
        Other bytes arrive than were sent.
    """
    place = state.files[wanted.file.name]
    for _ in range(_TRIES):
        described = _Sending(drive, wanted, place, state, progress).run()
        place.is_made, place.upload = True, None
        if described.get("trashed"):
            # Somebody threw it away while it was sent.
            place.identifier, place.is_made = drive.new_identifiers(1, wanted.where)[0], False
            state.save()
            continue
        if described.get("md5Checksum") == wanted.file.md5:
            return wanted.file
        # Damaged on the way, or published anew while it was sent: once more, as it is now.
        now = read_file(wanted.folder, wanted.file.name)
        wanted = Wanted(wanted.folder, now, wanted.parent, wanted.mark, wanted.where)
        state.claim({now.name: now.md5})
    raise NotDelivered(
        f"other bytes are there than were sent, {_TRIES} times",
        where=wanted.where,
        remedy="check the network, then `wakeful retry` the row",
    )


class _Sending:
    """One try at one file."""

    def __init__(
        self,
        drive: Drive,
        wanted: Wanted,
        place: Place,
        state: SessionState,
        progress: Callable[[int], None],
    ) -> None:
        self._drive = drive
        self._wanted = wanted
        self._place = place
        self._state = state
        self._progress = progress
        self._n_sessions = 0

    def run(self) -> dict[str, Any]:
        """The file as Drive describes it when it is whole."""
        waiting = self._drive.patience(self._wanted.where)
        request: Any = None
        while True:
            try:
                if request is None:
                    request, whole = self._take_up()
                    if whole is not None:
                        return whole
                before = request.resumable_progress
                _, body = request.next_chunk(num_retries=0)
                if body is not None:
                    done: dict[str, Any] = body
                    return done
                if request.resumable_progress <= before:
                    raise ConnectionError("a piece was taken and nothing arrived")
                waiting.went_well()
                self._progress(request.resumable_progress)
            except Exception as error:  # noqa: BLE001 -- sorted out by `after`, raised from there
                request = None
                try:
                    waiting.after(error)
                except AlreadyThere:
                    # The answer to the last piece was lost: it is there, and can be updated.
                    if self._place.is_made:
                        raise self._interrupted("another change of the file goes on") from None
                    self._place.is_made = True
                    self._forget()
                except NotThere:
                    self._start_anew()

    def _start_anew(self) -> None:
        """The upload has ended before it was whole, or what it leads to is gone."""
        had_begun = self._place.upload is not None
        self._forget()
        self._n_sessions += 1
        if not had_begun:
            raise self._interrupted("the file or its folder was removed while it was sent")
        if self._n_sessions >= _SESSIONS:
            raise self._interrupted(
                f"Google ended the upload {_SESSIONS} times before it was whole"
            )

    def _interrupted(self, what: str) -> TargetAway:
        return TargetAway(what, where=self._wanted.where, remedy="it is tried again after a while")

    def _forget(self) -> None:
        self._place.upload = None
        self._state.save()

    def _take_up(self) -> tuple[Any, dict[str, Any] | None]:
        """A request that goes on where the upload is, or the file where it is whole."""
        file, place = self._wanted.file, self._place
        request = self._request()
        before = place.upload
        if before is not None and (before.md5, before.size) != (file.md5, file.size):
            before = place.upload = None
        if before is None:
            address = self._begin(request)
            place.upload = Upload(address, file.md5, file.size)
            self._state.save()
            request.resumable_uri, request.resumable_progress = address, 0
            return request, None
        there, whole = self._how_far(before.address)
        request.resumable_uri, request.resumable_progress = before.address, there
        self._progress(there)
        return request, whole

    def _request(self) -> Any:
        file, place = self._wanted.file, self._place
        body: dict[str, Any] = {
            "name": self._wanted.base,
            "appProperties": {**self._wanted.mark, MD5_MARK: file.md5},
        }
        pieces = _pieces(file.path, file.size)
        if place.is_made:
            return self._drive.files.update(
                fileId=place.identifier,
                body=body,
                media_body=pieces,
                fields=FIELDS,
                supportsAllDrives=True,
            )
        body |= {"id": place.identifier, "parents": [self._wanted.parent]}
        return self._drive.files.create(
            body=body, media_body=pieces, fields=FIELDS, supportsAllDrives=True
        )

    def _begin(self, request: Any) -> str:
        """Begin a resumable upload; its address."""
        from googleapiclient.errors import HttpError

        headers = {
            **request.headers,
            "X-Upload-Content-Type": request.resumable.mimetype(),
            "X-Upload-Content-Length": str(self._wanted.file.size),
            "content-length": str(len(request.body or "")),
        }
        response, content = self._drive.http.request(
            request.uri, method=request.method, body=request.body, headers=headers
        )
        if response.status != 200 or "location" not in response:
            raise HttpError(response, content)
        return redirect(response["location"])

    def _how_far(self, address: str) -> tuple[int, dict[str, Any] | None]:
        """How many bytes are there; the file where all are."""
        from googleapiclient.errors import HttpError

        headers = {"Content-Range": f"bytes */{self._wanted.file.size}", "content-length": "0"}
        response, content = self._drive.http.request(address, method="PUT", headers=headers)
        if response.status in (200, 201):
            whole: dict[str, Any] = json.loads(content)
            return self._wanted.file.size, whole
        if response.status != 308:
            raise HttpError(response, content)
        found = re.fullmatch(r"bytes=0-(\d+)", response.get("range", ""))
        return (int(found[1]) + 1 if found else 0), None


def _pieces(path: Path, size: int) -> Any:
    """A file's bytes, a piece at a time.

    Bytes rather than a stream: the transport sends a piece again where the connection was stale,
    and a stream would be at its end by then.
    """
    from googleapiclient.http import MediaUpload

    class Pieces(MediaUpload):  # type: ignore[misc]
        def chunksize(self) -> int:
            return PIECE_BYTES

        def mimetype(self) -> str:
            return mimetypes.guess_type(path.name)[0] or "application/octet-stream"

        def size(self) -> int:
            return size

        def resumable(self) -> bool:
            return True

        def getbytes(self, begin: int, length: int) -> bytes:
            try:
                with path.open("rb") as file:
                    file.seek(begin)
                    piece = file.read(length)
                    is_longer = bool(begin + len(piece) >= size and file.read(1))
            except FileNotFoundError:
                raise changed(path) from None
            if begin + len(piece) < min(size, begin + length) or is_longer:
                raise changed(path)
            return piece

    return Pieces()
