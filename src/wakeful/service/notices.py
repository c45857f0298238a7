"""What is worth telling somebody: failures, recordings that stand still, full disks, the day.

A notice says what happened to which row and where to look; it carries no data and no figures.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from wakeful.config import Library
from wakeful.io.mirror import source_files
from wakeful.ledger import Ledger, RunState
from wakeful.model.errors import NoRecording
from wakeful.model.quality import duration_text
from wakeful.pipeline.keys import digest
from wakeful.service.forecast_words import say_filling, say_forecast
from wakeful.service.foresight import make_forecast
from wakeful.service.room import disks_of, gigabytes, library_folders, nearest_folder
from wakeful.service.work import RowView
from wakeful.sheet.interface import Status

GRAVE: Final = frozenset({Status.FAILED, Status.NEEDS_ATTENTION})
_STANDS_S: Final = 60.0
"""A row that somebody is typing into may be wrong for so long before anybody is told."""
_LOOK_EVERY_S: Final = 20.0
_MOST_LISTED: Final = 20


@dataclass(frozen=True)
class Notice:
    """Something to tell."""

    reason: str
    """Two notices of one reason say the same, and one of them is enough for a while."""
    kind: Literal["failure", "warning", "info"]
    title: str
    text: str


class Lookout:
    """Finds what is worth telling in what passes leave.

    Parameters
    ----------
    library : whose limits and links hold
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._links = Links(library)
        self._grave: dict[str, tuple[str, float]] = {}
        """Row -> what is wrong with it, and since when."""
        self._seen: set[str] = set()
        """Rows that were looked at before."""
        self._recording: dict[str, dict[str, float]] = {}
        """Subject -> recording that goes on, or did -> when it last grew, seconds since 1970."""
        self._looked = -_LOOK_EVERY_S

    def look(self, views: Iterable[RowView], *, at_the_end: bool = False) -> Iterator[Notice]:
        """All that is worth telling now; the same again with each look, as long as it holds.

        Parameters
        ----------
        at_the_end : nothing will be looked at again: what is wrong needs not have stood for a while
        """
        views = tuple(views)
        yield from self._failures(views, time.monotonic(), at_the_end=at_the_end)
        if time.monotonic() - self._looked >= _LOOK_EVERY_S or at_the_end:
            self._looked = time.monotonic()
            yield from self._stalled(views, time.time())
            yield from self._full_disks()

    def _failures(
        self, views: tuple[RowView, ...], now: float, *, at_the_end: bool
    ) -> Iterator[Notice]:
        standing: dict[str, tuple[str, float]] = {}
        for view in views:
            grave = view.update.status in GRAVE
            if not grave and not (
                view.n_set_aside and view.update.status == Status.DONE_WITH_WARNINGS
            ):
                continue
            what = view.update.message
            before = self._grave.get(view.row.identifier)
            since = before[1] if before is not None and before[0] == what else now
            standing[view.row.identifier] = (what, since)
            if now - since >= _STANDS_S or at_the_end:
                yield self._failure(view, grave=grave)
        self._grave = standing

    def _failure(self, view: RowView, *, grave: bool) -> Notice:
        status = str(view.update.status) if grave else "is done but for a part that failed"
        name = f"Row {view.row.number} ({view.row.subject or 'no subject'})"
        title = (
            f"{name} {status}" if status != Status.NEEDS_ATTENTION else f"{name} needs attention"
        )
        return Notice(
            f"row {view.row.identifier} {digest([status, view.update.message])}",
            "failure" if grave else "warning",
            title,
            self._links.end(view.update.message, view.update.link),
        )

    def _stalled(self, views: tuple[RowView, ...], now: float) -> Iterator[Notice]:
        """Subjects of which a recording went on, and of which nothing grows any more."""
        limit_s = 60.0 * self._library.config.notices.stalled_minutes
        there = {view.row.identifier for view in views}
        for view in views:
            # What a service before this one left in the row says whether it went on then.
            went_on = view.row.identifier not in self._seen and view.row.status == Status.FOLLOWING
            known = self._recording.setdefault(view.row.subject, {})
            if view.source and (view.goes_on or went_on or view.source in known):
                grown = _last_growth(Path(view.source))
                if grown is not None:
                    known[view.source] = grown
        self._seen = there
        if not limit_s:
            return
        for subject, sources in self._recording.items():
            if not sources or now - max(sources.values()) < limit_s:
                continue
            source, grown = max(sources.items(), key=lambda item: item[1])
            zone = ZoneInfo(self._library.config.lab.time_zone)
            moment = datetime.fromtimestamp(grown, zone)
            yield Notice(
                f"stalled {subject} {source} {grown:.0f}",
                "warning",
                f"No new data of {subject} since {moment:%A %H:%M}",
                f"{source} had its last new bytes on {moment:%Y-%m-%d at %H:%M}, "
                f"{duration_text(now - grown)} ago, and no other recording of {subject} has grown "
                "since. If the animal should still be recorded, look after the acquisition.",
            )

    def _full_disks(self) -> Iterator[Notice]:
        keep_gb = self._library.config.service.keep_free_gb
        for folders in disks_of(library_folders(self._library)).values():
            try:
                free = shutil.disk_usage(nearest_folder(folders[0])).free
            except OSError:
                continue  # said by the row that needs it
            if free < keep_gb * 1e9:
                yield Notice(
                    f"disk of {folders[0]}",
                    "warning",
                    f"Only {gigabytes(free)} left on a disk of the library",
                    f"It holds {', '.join(map(str, folders))}. Less than keep_free_gb = "
                    f"{keep_gb:g} is left: `wakeful gc` lists what can go.",
                )


def foreseen(library: Library, ledger: Ledger, now: datetime | None = None) -> Iterator[Notice]:
    """Disks, and the quota, that are full within `[notices] disk_days` at the pace of the last day.

    Parameters
    ----------
    now : the present time
    """
    days = timedelta(days=library.config.notices.disk_days)
    zone = ZoneInfo(library.config.lab.time_zone)
    forecast = make_forecast(library, ledger, now)
    for filling in forecast.fillings:
        if filling.full is not None and filling.full - forecast.now <= days:
            yield Notice(
                f"foreseen {filling.name}",
                "warning",
                f"Full on {filling.full.astimezone(zone):%A}: {filling.name}",
                f"{say_filling(filling, zone, forecast.now)}. `wakeful gc` lists what can go.",
            )


class Links:
    """Paths of a library as people can follow them, by `[notices] link_base` where it is given."""

    def __init__(self, library: Library) -> None:
        self._root = library.root
        self._base = library.config.notices.link_base.rstrip("/")

    def link(self, path: str) -> str:
        """Where to look."""
        try:
            inside = Path(path).relative_to(self._root)
        except ValueError:
            return path
        return f"{self._base}/{inside.as_posix()}" if self._base else path

    def end(self, text: str, path: str) -> str:
        """A text with a link at its end."""
        return f"{text}\n{self.link(path)}" if path else text


def digest_due(library: Library, now: datetime | None = None) -> str:
    """The reason of the day's digest, from the time that `[notices] digest_at` names; "" before.

    Parameters
    ----------
    now : the present time
    """
    at = library.config.notices.digest_at
    now = (now or datetime.now(UTC)).astimezone(ZoneInfo(library.config.lab.time_zone))
    return "" if at is None or now.time() < at else f"digest {now:%Y-%m-%d}"


def digest_of_the_day(
    library: Library, ledger: Ledger, views: Iterable[RowView], now: datetime | None = None
) -> Notice | None:
    """The day's digest; None where it is not due. It asks the ledger for much: once a day.

    Parameters
    ----------
    views : the rows as they stand
    now : the present time
    """
    zone = ZoneInfo(library.config.lab.time_zone)
    now = (now or datetime.now(UTC)).astimezone(zone)
    reason = digest_due(library, now)
    if not reason:
        return None
    views = tuple(views)
    since = now - timedelta(days=1)
    runs = ledger.latest_runs()
    done = [
        view
        for view in views
        if (run := runs.get(int(view.row.identifier))) is not None
        and run.state is RunState.DONE
        and run.finished is not None
        and run.finished >= since
    ]
    wrong = [view for view in views if view.update.status in GRAVE]
    going_on = [view for view in views if view.goes_on]
    open_rows = [
        view
        for view in views
        if view.update.status in (Status.QUEUED, Status.TRANSFERRING, Status.RUNNING)
    ]
    links = Links(library)
    lines = [
        f"{ledger.count_results(since)} results made in the last 24 hours.",
        *_listed(f"{_rows(len(done))} done", (links.end(_name(v), v.update.link) for v in done)),
        *_listed(
            f"{_rows(len(wrong))} that need somebody",
            (f"{_name(v)}: {v.update.message}" for v in wrong),
        ),
        *_listed(
            f"{_rows(len(going_on))} whose recording goes on",
            (f"{_name(v)}: {v.update.progress}" for v in going_on),
        ),
        *_listed(
            f"{_rows(len(open_rows))} at work or waiting",
            (f"{_name(v)}: {v.update.status} {v.update.progress}" for v in open_rows),
        ),
        *say_forecast(make_forecast(library, ledger, now), zone),
    ]
    return Notice(
        reason,
        "info",
        f"Wakeful, {now:%A %Y-%m-%d}: {len(done)} done, {len(wrong)} need somebody",
        "\n".join(lines),
    )


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _name(view: RowView) -> str:
    return f"row {view.row.number} {view.row.subject}"


def _listed(title: str, items: Iterable[str]) -> list[str]:
    items = list(items)
    if not items:
        return []
    more = len(items) - _MOST_LISTED
    return [
        f"{title}:",
        *(f"  {item}" for item in items[:_MOST_LISTED]),
        *([f"  and {more} more"] if more > 0 else []),
    ]


def _last_growth(source: Path) -> float | None:
    """When any file of a recording was last written to; None where it can't be looked at."""
    try:
        return max(path.stat().st_mtime for path in source_files(source))
    except (OSError, NoRecording, ValueError):
        return None
