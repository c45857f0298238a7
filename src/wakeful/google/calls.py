"""Where Google is reached, and what its refusals mean in plain words."""

from __future__ import annotations

import json
import os
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from wakeful.model.errors import WakefulError

ENDPOINT: Final = "WAKEFUL_GOOGLE_ENDPOINT"
"""Address of what speaks for Google: a gateway of the university, or a stand-in."""

SHEETS_ROOT: Final = "https://sheets.googleapis.com"
DRIVE_ROOT: Final = "https://www.googleapis.com"
TIMEOUT_S: Final = 60.0

_PASSING_REASONS: Final = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError"}
)


class GoogleAway(WakefulError):
    """Google can't be reached, or takes no more calls just now: later it may."""


class GoogleRefused(WakefulError):
    """Google says no, until somebody changes something."""


def root_of(service: str) -> str:
    """Where calls go that are meant for `service` (`SHEETS_ROOT` or `DRIVE_ROOT`)."""
    return os.environ.get(ENDPOINT, "").rstrip("/") or service


def redirect(address: str) -> str:
    """An address of Google's as it is to be called."""
    if not (root := os.environ.get(ENDPOINT, "")):
        return address
    to, asked = urlsplit(root), urlsplit(address)
    return urlunsplit((to.scheme, to.netloc, to.path.rstrip("/") + asked.path, asked.query, ""))


def explain(status: int, body: bytes | str, *, where: str, account: str) -> WakefulError:
    """What an answer means that is no success.

    Parameters
    ----------
    status : of HTTP
    body : of the answer, as Google writes it
    where : the sheet, folder or file that was asked for
    account : as which was asked (`Account.shown`)
    """
    message, reason = _read(body)
    said = f"Google says {status}: {message}" if message else f"Google says {status}"
    if status in (408, 429) or status >= 500 or (status == 403 and reason in _PASSING_REASONS):
        return GoogleAway(said, where=where, remedy="it is tried again after a while")
    if reason == "storageQuotaExceeded":
        return GoogleRefused(
            f"{said}. A service account owns no files",
            where=where,
            remedy="deliver into a folder of a Shared Drive of which the account is a member, or "
            "log in as a person (`wakeful google login`)",
        )
    if reason in ("accessNotConfigured", "SERVICE_DISABLED"):
        return GoogleRefused(
            said,
            where=where,
            remedy="switch on the Google Sheets API and the Google Drive API in the account's "
            "project (console.cloud.google.com, APIs & Services)",
        )
    if status == 401:
        return GoogleRefused(
            said, where=where, remedy="the key is no longer valid: make a new one, or log in again"
        )
    if status == 403:
        return GoogleRefused(
            said, where=where, remedy=f"share it with {account or 'the account'} as an editor"
        )
    if status == 404:
        return GoogleRefused(
            said,
            where=where,
            remedy=f"correct the address, or share it with {account or 'the account'}",
        )
    return GoogleRefused(said, where=where, remedy="see `wakeful doctor --google`")


def away(error: Exception, *, where: str) -> GoogleAway:
    """No answer at all: no network, a name that is not found, a connection that broke."""
    return GoogleAway(
        f"Google was not reached ({type(error).__name__})",
        where=where,
        remedy="check the network; it is tried again after a while",
    )


def unauthorised(error: Exception, *, where: str, account: str) -> WakefulError:
    """The account itself was refused (google.auth's `RefreshError`)."""
    if getattr(error, "retryable", False):
        return away(error, where=where)
    return GoogleRefused(
        f"Google does not accept the {account or 'account'}",
        where=where,
        remedy="make a new key of the service account, or run `wakeful google login` again; check "
        "that the machine's clock is right",
    )


def _read(body: bytes | str) -> tuple[str, str]:
    """(message, reason) of an error as Google writes it; empty where it is something else."""
    try:
        error: Any = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "", ""
    if not isinstance(error, dict):
        return str(error), ""
    reasons = [str(one.get("reason", "")) for one in error.get("errors", ()) if one]
    reasons += [str(one["reason"]) for one in error.get("details", ()) if "reason" in one]
    return str(error.get("message", "")), next(filter(None, reasons), "")
