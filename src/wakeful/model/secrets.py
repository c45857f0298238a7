"""Secrets in text: found and taken out before anything is shown or kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

HIDDEN: Final = "***"

_SECRET_NAME: Final = re.compile(
    r"(^|[_\-. ])(token|secret|password|passwd|passphrase|pwd|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|authorization|credentials?|cookie|webhook)s?($|[_\-. ])",
    re.IGNORECASE,
)
_ASSIGNED: Final = re.compile(
    r"(?P<name>[\"']?\b[\w-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key"
    r"|private[_-]?key)[\"']?\s*[:=]\s*)(?P<quote>[\"']?)[^\s\"',;&]+(?P=quote)",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(?P<kind>Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_SHAPES: Final = re.compile(
    r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|AKIA[0-9A-Z]{16}|ya29\.[\w-]{10,}|AIza[\w-]{30,}|sk-[A-Za-z0-9_-]{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}|\d{8,10}:[\w-]{30,})"
)
_ADDRESS: Final = re.compile(r"\b(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<rest>[^\s\"'<>|]+)")
_OPEN_SCHEMES: Final = frozenset({"http", "https", "file", "ftp", "ftps", "sftp", "s3", "smb"})
"""Of these the place may be shown; of all others (a messenger's, say) each part may be a secret."""
_SECRET_PLACES: Final = re.compile(r"(^|\.)hooks?\.|webhook|/services/|/bot\d+:", re.IGNORECASE)
_SHORTEST_WORD: Final = 6
_SHORTEST_KEY: Final = 16
"""A part of a path this long is a key rather than a name."""
_OWN_SERVERS: Final = frozenset({"http", "json", "xml", "form", "mailto"})
"""Of these schemes the server's name is no secret."""


class Redaction:
    """Takes out what looks like a secret, and the secrets that it was told.

    Parameters
    ----------
    secrets : addresses or words that must never be shown, nor any longer part of them
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words: set[str] = set()
        for secret in secrets:
            words |= _words_of(secret)
        self._words = sorted(words, key=len, reverse=True)

    def clean(self, name: str, value: Any) -> Any:
        """A value as it may be shown under this name; what is in lists and tables too."""
        if isinstance(value, str):
            return HIDDEN if value and _SECRET_NAME.search(name) else self.text(value)
        if isinstance(value, bytes):
            return self.clean(name, value.decode(errors="replace"))
        if isinstance(value, Mapping):
            return {self.text(str(k)): self.clean(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(name, member) for member in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.clean(name, str(value))

    def text(self, text: str) -> str:
        """Text without its secrets."""
        for word in self._words:
            if word in text:
                text = text.replace(word, HIDDEN)
        text = _KEY_BLOCK.sub(HIDDEN, text)
        text = _ADDRESS.sub(lambda found: hide_in_address(found[0]), text)
        text = _BEARER.sub(rf"\g<kind> {HIDDEN}", text)
        text = _ASSIGNED.sub(rf"\g<name>{HIDDEN}", text)
        return _SHAPES.sub(HIDDEN, text)


def hide_in_address(address: str) -> str:
    """An address that shows where it leads, without password, token or a messenger's keys."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return HIDDEN
    scheme, rest = found["scheme"], found["rest"]
    if scheme.lower() not in _OPEN_SCHEMES:
        return f"{scheme}://{HIDDEN}"
    # A password may hold an @ itself: the last one before the path ends it.
    place, slash, path = rest.partition("/")
    if "@" in place:
        place = f"{HIDDEN}@{place.rpartition('@')[2]}"
    elif "@" in path and ":" in place:
        # "user:pass/word@host": what stands before the @ can't be told from a path.
        place, slash, path = HIDDEN, "@", path.rpartition("@")[2]
    if _SECRET_PLACES.search(f"{place}/{path}"):
        return f"{scheme}://{place}/{HIDDEN}"
    path, question, query = path.partition("?")
    fields = [
        f"{name}={HIDDEN}" if equals and _is_secret_field(name) else f"{name}{equals}{value}"
        for name, equals, value in (field.partition("=") for field in query.split("&"))
    ]
    return f"{scheme}://{place}{slash}{path}{question}{'&'.join(fields)}"


def _is_secret_field(name: str) -> bool:
    low = name.lower()
    return bool(_SECRET_NAME.search(low)) or any(
        sign in low
        for sign in ("token", "key", "sig", "secret", "pass", "auth", "code", "upload_id")
    )


def _words_of(secret: str) -> set[str]:
    """The secret itself, and the parts of an address that are secrets on their own."""
    words = {secret.strip()}
    scheme, colons, rest = secret.strip().partition("://")
    if colons:
        before, _, place = rest.rpartition("@")
        words |= {word for word in re.split(r"[:/]", before) if len(word) >= _SHORTEST_WORD}
        parts = re.split(r"[/?#&=:]", place)
        if scheme.lower().rstrip("s") in _OWN_SERVERS:
            words |= {word for word in parts[1:] if len(word) >= _SHORTEST_KEY}
        else:
            words |= {word for word in parts if len(word) >= _SHORTEST_WORD}
    words |= {unquote(word) for word in words}
    return {word for word in words if len(word) >= _SHORTEST_WORD}
