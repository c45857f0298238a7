"""The stand-in's Sheets: cells in tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.google_stand_in.server import Answer, Asked, GoogleStandIn


class SheetsStandIn:
    """Spreadsheets."""

    def __init__(self, google: GoogleStandIn) -> None:
        self._google = google

    def answer(self, asked: Asked) -> Answer | None:
        return None
