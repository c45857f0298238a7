"""Looks over the service's shoulder: after each pass, what changed goes into the log."""

from __future__ import annotations

import time
from collections.abc import Iterable

from wakeful.logs import get_log
from wakeful.service.work import RowView
from wakeful.sheet.interface import Status

_GRAVE = frozenset({Status.FAILED, Status.NEEDS_ATTENTION})


class RowLog:
    """Logs each change of a row's status, with how long the status before it lasted."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str, float]] = {}
        """Row -> its status, its message where it is grave, since when."""

    def look(self, views: Iterable[RowView]) -> None:
        """Log what changed since the last look; the first look says only what is under way."""
        now = time.monotonic()
        seen: dict[str, tuple[str, str, float]] = {}
        for view in views:
            status = str(view.update.status)
            grave = view.update.message if status in _GRAVE else ""
            before = self._last.get(view.row.identifier)
            if before is not None and before[:2] == (status, grave):
                seen[view.row.identifier] = before
                continue
            seen[view.row.identifier] = (status, grave, now)
            if before is None and status == view.row.status:
                continue  # as it stood when the service began
            self._say(view, status, before, now)
        for gone in self._last.keys() - seen.keys():
            get_log().info("row is gone", row_identifier=gone, was=self._last[gone][0])
        self._last = seen

    def _say(
        self, view: RowView, status: str, before: tuple[str, str, float] | None, now: float
    ) -> None:
        facts = {
            "row": view.row.number,
            "subject": view.row.subject,
            "session": view.session,
            "status": status,
            "was": before[0] if before else str(view.row.status),
            "progress": view.update.progress,
            "message": view.update.message,
            **({"seconds": round(now - before[2], 1)} if before else {}),
        }
        facts = {name: fact for name, fact in facts.items() if fact != ""}
        if status in _GRAVE:
            get_log().error("row", **facts)
        else:
            get_log().info("row", **facts)
