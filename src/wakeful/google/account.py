"""Who Wakeful is towards Google: a service account, or a person who has logged in."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from wakeful.config import Library
from wakeful.model.errors import BadConfig

VARIABLE: Final = "WAKEFUL_GOOGLE_CREDENTIALS"
"""Names the file with the credentials, or holds its text."""
SCOPES: Final = (
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/drive",
)
_TOKENS: Final = "https://oauth2.googleapis.com/token"
_REMEDY: Final = (
    "download the JSON key of a service account, or run `wakeful google login`; "
    "see the tutorial on Google Sheets"
)


@dataclass(frozen=True)
class Account:
    """An account that Google knows."""

    kind: Literal["service account", "person"]
    email: str
    """Of a service account: what sheets and folders are shared with. "" of a person."""
    credentials: Any = field(repr=False)
    """google.auth credentials with `SCOPES`; hold secrets."""

    @property
    def shown(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.email}".strip()


def read_account(library: Library) -> Account:
    """The account that wakeful.toml or the environment names.

    Raises
    ------
    BadConfig
        None is named, or the file is missing, readable by others, or something else.
    """
    text, where = _read_text(library)
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError
    except (ValueError, TypeError):
        raise BadConfig(
            "is not JSON, as Google's keys and `wakeful google login` write it",
            where=where,
            remedy=_REMEDY,
        ) from None
    return make_account(values, where)


def make_account(values: dict[str, Any], where: str) -> Account:
    """The account of a key.

    Parameters
    ----------
    values : what the JSON file holds
    where : the file, for messages

    Raises
    ------
    BadConfig
        It is the key of something else, or lacks a part.
    """
    from google.oauth2 import credentials, service_account

    kind = values.get("type")
    try:
        if kind == "service_account":
            made = service_account.Credentials.from_service_account_info(values, scopes=SCOPES)
            return Account("service account", str(values["client_email"]), made)
        if kind == "authorized_user":
            # Not by the library's own reader: it overrides where the file says that tokens are had.
            person = credentials.Credentials(
                None,
                refresh_token=str(values["refresh_token"]),
                token_uri=str(values.get("token_uri") or _TOKENS),
                client_id=str(values["client_id"]),
                client_secret=str(values["client_secret"]),
                scopes=SCOPES,
            )
            return Account("person", "", person)
    except (ValueError, KeyError) as error:
        # Not the error's own text: it may quote the key.
        raise BadConfig(
            f"is no whole {str(kind).replace('_', ' ')} key ({type(error).__name__})",
            where=where,
            remedy=_REMEDY,
        ) from None
    if {"installed", "web"} & values.keys():
        raise BadConfig(
            "is the client of an application, with which a person logs in first",
            where=where,
            remedy=f"wakeful google login {where}",
        )
    raise BadConfig("is not the key of a Google account", where=where, remedy=_REMEDY)


def _read_text(library: Library) -> tuple[str, str]:
    told = os.environ.get(VARIABLE, "").strip()
    if told.startswith("{"):
        return told, VARIABLE
    configured = library.config.google.credentials
    if told:
        path, field_name = Path(told).expanduser(), VARIABLE
    elif configured is not None:
        path, field_name = library.root / configured.expanduser(), "google.credentials"
    else:
        raise BadConfig(
            "no Google account is named",
            where="wakeful.toml: google.credentials",
            remedy=_REMEDY,
        )
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadConfig(
            f"the Google account's key can't be read: {reason}",
            where=f"{path} ({field_name})",
            remedy=_REMEDY,
        ) from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise BadConfig(
            "the file holds the Google account's key, which is a secret, and others can read it",
            where=f"{path} ({field_name})",
            remedy=f"chmod 600 {path}",
        )
    return text, str(path)
