"""Calls to Google Drive: tried again where that helps, in plain words where it does not."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from wakeful.google.account import Account
from wakeful.google.calls import (
    DRIVE_ROOT,
    TIMEOUT_S,
    GoogleAway,
    GoogleRefused,
    away,
    explain,
    root_of,
    unauthorised,
)
from wakeful.model.errors import WakefulError

FOLDER: Final = "application/vnd.google-apps.folder"
FIELDS: Final = (
    "id,name,mimeType,parents,trashed,md5Checksum,size,appProperties,webViewLink,driveId,"
    "capabilities(canAddChildren,canEdit,canTrash)"
)
"""What is asked of a file."""
_LONGEST_PAUSE_S: Final = 64.0
_LIST_PAGE: Final = 1000

T = TypeVar("T")


class AlreadyThere(Exception):
    """A file of the identifier that was to be made is there: an earlier answer was lost."""


class NotThere(Exception):
    """There is no such file, upload or folder (any more), or it is not shared with us."""


class Drive:
    """Google Drive, as one account.

    Parameters
    ----------
    account : as which it is called
    patience_s : how long Google may be away at a stretch before it is given up
    first_pause_s : before the first further try; doubled with each, and up to twice by chance
    timeout_s : how long an answer may take
    """

    def __init__(
        self,
        account: Account,
        *,
        patience_s: float = 600.0,
        first_pause_s: float = 1.0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        import google_auth_httplib2
        import httplib2
        from googleapiclient.discovery import build_from_document
        from googleapiclient.discovery_cache import get_static_doc

        self._account = account
        self._patience_s = patience_s
        self._first_pause_s = first_pause_s
        transport = httplib2.Http(timeout=timeout_s)
        # 308 says how far an upload is; it leads nowhere else.
        transport.redirect_codes = transport.redirect_codes - {308}
        self.http: Any = google_auth_httplib2.AuthorizedHttp(account.credentials, http=transport)
        document = json.loads(get_static_doc("drive", "v3"))
        document["rootUrl"] = f"{root_of(DRIVE_ROOT)}/"
        self.service: Any = build_from_document(document, http=self.http)
        self.files: Any = self.service.files()
        self.shared_drive = ""
        """Identifier of the Shared Drive that is looked through; "" for My Drive."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    @property
    def account(self) -> str:
        """How messages call who calls."""
        return self._account.shown

    def run(self, request: Any, where: str) -> Any:
        """What a call gives, however often it has to be made.

        Parameters
        ----------
        request : a request that may be made twice
        where : what it is about, for messages

        Raises
        ------
        AlreadyThere, NotThere
            409, 404.
        GoogleAway
            Patience has run out.
        GoogleRefused
            Google says no.
        """
        return self.insist(lambda: request.execute(num_retries=0), where)

    def insist(self, attempt: Callable[[], T], where: str) -> T:
        """Try until it goes well; see `run`."""
        waiting = self.patience(where)
        while True:
            try:
                return attempt()
            except Exception as error:  # noqa: BLE001 -- sorted out by `after`, raised from there
                waiting.after(error)

    def patience(self, where: str) -> Patience:
        """What decides how long to go on."""
        return Patience(self, where, self._patience_s, self._first_pause_s)

    def hang_up(self) -> None:
        """Close connections: one that broke in the middle of a call is of no use."""
        self.http.close()

    def find(self, identifier: str, where: str) -> dict[str, Any] | None:
        """A file by its identifier, also in the trash; None where there is none for us."""
        request = self.files.get(fileId=identifier, fields=FIELDS, supportsAllDrives=True)
        try:
            found: dict[str, Any] = self.run(request, where)
        except NotThere:
            return None
        return found

    def children(self, folder: str, where: str, also: str = "") -> list[dict[str, Any]]:
        """What lies in a folder and not in the trash, in the order in which it was made.

        Parameters
        ----------
        also : a further clause, as in "name = 'M1'"
        """
        found: list[dict[str, Any]] = []
        page: str | None = None
        query = f"{quoted(folder)} in parents and trashed = false"
        while True:
            request = self.files.list(
                q=f"{query} and {also}" if also else query,
                fields=f"nextPageToken,files({FIELDS})",
                pageSize=_LIST_PAGE,
                pageToken=page,
                orderBy="createdTime",
                supportsAllDrives=True,
                includeItemsFromAllDrives=True,
                corpora="drive" if self.shared_drive else "user",
                driveId=self.shared_drive or None,
            )
            answer = self.run(request, where)
            found += answer.get("files", ())
            page = answer.get("nextPageToken")
            if not page:
                return found

    def new_identifiers(self, n: int, where: str) -> list[str]:
        """Identifiers for files that are yet to be made."""
        made: list[str] = []
        while len(made) < n:
            request = self.files.generateIds(
                count=min(n - len(made), _LIST_PAGE), space="drive", type="files"
            )
            made += self.run(request, where)["ids"]
        return made

    def trash(self, identifier: str, where: str) -> bool:
        """Put a file into the trash; False where we may not."""
        request = self.files.update(
            fileId=identifier, body={"trashed": True}, fields="id", supportsAllDrives=True
        )
        try:
            self.run(request, where)
        except NotThere:
            return True
        except GoogleRefused:
            return False
        return True

    def translate(self, error: Exception, where: str) -> tuple[WakefulError | Exception, float]:
        """What an error of the client library means, and how long Google asks to wait (seconds).

        No text of the error itself is handed on: addresses of uploads, which are secrets, stand in
        it.
        """
        import google.auth.exceptions
        import httplib2
        from googleapiclient.errors import Error, HttpError

        if isinstance(error, HttpError):
            status = int(error.resp.status)
            if status in (404, 410):
                return NotThere(), 0.0
            if status == 409:
                return AlreadyThere(), 0.0
            said = explain(status, error.content, where=where, account=self.account)
            return said, retry_after_s(error.resp.get("retry-after", ""))
        if isinstance(error, google.auth.exceptions.RefreshError):
            return unauthorised(error, where=where, account=self.account), 0.0
        passing = (
            OSError,
            http.client.HTTPException,
            httplib2.HttpLib2Error,
            google.auth.exceptions.TransportError,
            Error,
        )
        if isinstance(error, passing):
            return away(error, where=where), 0.0
        return error, 0.0


class Patience:
    """How long something is tried again.

    Parameters
    ----------
    drive : what is called
    where : for messages
    patience_s : how long it may fail at a stretch
    first_pause_s : before the first further try
    """

    def __init__(self, drive: Drive, where: str, patience_s: float, first_pause_s: float) -> None:
        self._drive = drive
        self._where = where
        self._patience_s = patience_s
        self._first_pause_s = self._pause_s = first_pause_s
        self._since: float | None = None

    def went_well(self) -> None:
        """Begin to count anew."""
        self._since, self._pause_s = None, self._first_pause_s

    def after(self, error: Exception) -> None:
        """Wait after what may pass.

        Raises
        ------
        Exception
            It does not pass, or patience has run out: the error in plain words.
        """
        meant, asked_s = self._drive.translate(error, self._where)
        if not isinstance(meant, GoogleAway):
            raise meant from None
        self._drive.hang_up()
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        pause_s = max(self._pause_s * random.uniform(1.0, 2.0), asked_s)
        if now + pause_s - self._since > self._patience_s:
            raise meant from None
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


def retry_after_s(said: str) -> float:
    """How long a Retry-After asks to wait: seconds, or a date."""
    said = said.strip()
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def quoted(text: str) -> str:
    """Text as it stands in a query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
