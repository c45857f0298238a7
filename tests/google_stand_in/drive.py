"""The stand-in's Drive: files in folders, uploads in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.google_stand_in.server import Answer, Asked, GoogleStandIn


class DriveStandIn:
    """Folders and files."""

    def __init__(self, google: GoogleStandIn) -> None:
        self._google = google

    def answer(self, asked: Asked) -> Answer | None:
        return None
