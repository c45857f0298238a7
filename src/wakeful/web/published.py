"""The folder of reports and figures, to be read and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from fastapi import HTTPException
from fastapi.responses import FileResponse

_PREFIX: Final = "published/"

_PAGE_POLICY: Final = (
    "default-src 'none'; img-src 'self' data: blob:; media-src 'self' data:; font-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'; "
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads"
)
"""A report holds all it needs. It runs in a sandbox of its own: whatever stands in a report can
neither read nor change the sheet."""

_PAGES: Final = frozenset({".html", ".htm", ".svg", ".xml", ".xhtml"})
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".parquet": "application/vnd.apache.parquet",
    ".nwb": "application/x-hdf5",
}


class Published:
    """Files below one folder.

    Parameters
    ----------
    folder : the folder; need not be there yet
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def find_link(self, text: str) -> str:
        """Where a link cell leads: web addresses as they are, published files from the page.

        Returns
        -------
        "" for what is neither: a person can read it, the page can't open it.
        """
        text = text.strip()
        parts = _split(text)
        if parts is not None and parts[0] in ("http", "https"):
            return text
        path = unquote(parts[1]) if parts is not None and parts[0] == "file" else text
        if not path.startswith("/") or "\0" in path:
            return ""
        try:
            inside = Path(path).relative_to(self._folder)
        except ValueError:
            return ""
        return "" if ".." in inside.parts else _PREFIX + quote(inside.as_posix())

    def answer(self, name: str) -> FileResponse:
        """The file of that name.

        Raises
        ------
        HTTPException
            There is none, or it lies elsewhere.
        """
        path = self._find(name)
        if path is None:
            raise HTTPException(404, f"there is no published file {name}")
        ending = path.suffix.lower()
        headers = {"Cache-Control": "no-cache"}
        if ending in _PAGES:
            headers["Content-Security-Policy"] = _PAGE_POLICY
        return FileResponse(
            path, media_type=_TYPES.get(ending, "application/octet-stream"), headers=headers
        )

    def _find(self, name: str) -> Path | None:
        if "\0" in name or any(part.startswith(".") for part in name.split("/")):
            return None
        try:
            path = (self._folder / name).resolve()
            # Links that lead out of the folder lead nowhere.
            if not path.is_relative_to(self._folder):
                return None
            if path.is_dir():
                path = path / "report.html"
            return path if path.is_file() else None
        except OSError:
            return None


def _split(text: str) -> tuple[str, str] | None:
    """Scheme and path of an address; None for what is none."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return parts.scheme.lower(), parts.path
