"""What is to come: when disks are full, whether the work keeps up with what is recorded."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Final

from wakeful.config import Library
from wakeful.io.store import Store
from wakeful.ledger import Ledger, Sample
from wakeful.model.errors import BrokenArtefact, UnknownResult
from wakeful.service.history import History
from wakeful.service.pulse import Pulse
from wakeful.service.room import disks_of, library_folders, nearest_folder
from wakeful.service.work import RowView

_SAMPLE_EVERY_S: Final = 600.0
_WINDOW: Final = timedelta(days=1)
"""Forecasts go by the last day: nights differ from days."""
_LEAST: Final = timedelta(hours=1)
"""Less says nothing."""
_FRESH: Final = timedelta(minutes=30)
"""What was noted longer ago is not how things stand."""
_WORK_WINDOW: Final = timedelta(days=7)
_COUNTED_STEP: Final = "convert"
"""Every recorded block has a result of this."""
_LATEST_BLOCKS: Final = 200
_DAY_S: Final = 86_400.0


class Sampler:
    """Samples a library while its service runs.

    Parameters
    ----------
    library, ledger : what is looked at
    """

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self._library = library
        self._ledger = ledger
        self._last = -_SAMPLE_EVERY_S
        self._seen: dict[tuple[str, str], RowView] = {}
        """Row and source -> the view that had most of it. A row that is unticked, deleted or begun
        anew takes nothing back of what came in."""

    def look(self, views: Iterable[RowView], pulse: Pulse | None) -> bool:
        """Take a sample where one is due; whether one was taken."""
        now = time.monotonic()
        if now - self._last < _SAMPLE_EVERY_S:
            return False
        self._last = now
        for view in views:
            key = view.row.identifier, view.source
            known = self._seen.get(key)
            if view.source and (known is None or _amount(view) >= _amount(known)):
                self._seen[key] = view
        seen = self._seen.values()
        self._ledger.add_sample(take_sample(self._library, self._ledger, seen, pulse))
        return True


def _amount(view: RowView) -> tuple[int, int]:
    return view.taken_in_bytes, view.n_blocks


def take_sample(
    library: Library, ledger: Ledger, views: Iterable[RowView], pulse: Pulse | None
) -> Sample:
    """How a library stands now."""
    views = tuple(views)
    of_sources: dict[str, int] = {}
    for view in views:
        if view.source:
            of_sources[view.source] = max(of_sources.get(view.source, 0), view.taken_in_bytes)
    taken_in = sum(of_sources.values())
    blocks = ledger.blocks_of_sessions(_COUNTED_STEP)
    for view in views:
        if view.session:
            blocks[view.session] = max(blocks.get(view.session, 0), view.n_blocks)
    mirrored = 0 if library.config.work.transfer == "in-place" else taken_in
    free = {}
    for folders in disks_of(library_folders(library)).values():
        free[str(folders[0])] = shutil.disk_usage(nearest_folder(folders[0])).free
    return Sample(
        time=datetime.now(UTC),
        taken_in_bytes=taken_in,
        stored_bytes=mirrored + ledger.results_bytes(),
        recorded_s=sum(blocks.values()) * library.config.work.block_s,
        backlog_s=pulse.backlog_s if pulse else None,
        free_bytes=free,
    )


@dataclass(frozen=True, kw_only=True)
class Filling:
    """A disk, or the library's quota, and when it is full."""

    name: str
    """The folders on it, or "quota"."""
    free_bytes: float
    total_bytes: float
    per_day_bytes: float | None
    """By how much it filled; None where too little is known."""
    full: datetime | None
    """At that pace; None where it does not fill, or nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is to come if all goes on as in the last day."""

    now: datetime
    window: timedelta | None
    """What it goes by; None where too little is known."""
    noted: datetime | None
    """When the service last noted how things stand; None where it did not in the last day."""
    inflow_bytes_per_day: float | None
    recorded_h_per_day: float | None
    work_s_per_hour: float | None
    """Computing for an hour recorded, of one worker, with its overhead; None where nothing was
    computed in the last week."""
    slots: int
    backlog_s: float | None
    """What the workers need for all that is missing, as it was last known."""
    fillings: tuple[Filling, ...]

    @property
    def is_old(self) -> bool:
        """Whether what was noted is not how things stand now: no service is at work."""
        return self.noted is not None and self.now - self.noted > _FRESH

    @property
    def speed(self) -> float | None:
        """Recorded hours that are worked through in an hour."""
        return 3600 * self.slots / self.work_s_per_hour if self.work_s_per_hour else None

    @property
    def times_inflow(self) -> float | None:
        """How many times faster than the inflow that is; None where nothing comes in."""
        if self.speed is None or not self.recorded_h_per_day:
            return None
        return self.speed / (self.recorded_h_per_day / 24)

    @property
    def backlog_gone_s(self) -> float | None:
        """When the backlog is worked off, with what comes in meanwhile; None: never, or unknown."""
        if self.backlog_s is None:
            return None
        if not self.recorded_h_per_day:
            return self.backlog_s
        ratio = self.times_inflow
        return None if ratio is None or ratio <= 1 else self.backlog_s / (1 - 1 / ratio)


def make_forecast(library: Library, ledger: Ledger, now: datetime | None = None) -> Forecast:
    """Forecast from what was sampled while the service ran.

    Parameters
    ----------
    now : the present time
    """
    now = now or datetime.now(UTC)
    samples = ledger.samples(now - _WINDOW)
    known = len(samples) > 1 and samples[-1].time - samples[0].time >= _LEAST
    window = samples[-1].time - samples[0].time if known else None
    days = window.total_seconds() / _DAY_S if window else 0.0
    work_s, keys = ledger.work_since(now - _WORK_WINDOW, _COUNTED_STEP)
    block_s = _mean_block(library, keys)
    # Samples count a block that has begun as a whole one.
    part = block_s / library.config.work.block_s if block_s else 1.0
    return Forecast(
        now=now,
        window=window,
        noted=samples[-1].time if samples else None,
        inflow_bytes_per_day=(
            rise([sample.taken_in_bytes for sample in samples]) / days if known else None
        ),
        recorded_h_per_day=(
            part * rise([sample.recorded_s for sample in samples]) / 3600 / days if known else None
        ),
        work_s_per_hour=(
            work_s * History(ledger).overhead / (len(keys) * block_s / 3600) if block_s else None
        ),
        slots=library.config.executor.slots,
        backlog_s=samples[-1].backlog_s if samples else None,
        fillings=(
            *_disks(library, samples, days, now),
            *_quota(library, ledger, samples, days, now),
        ),
    )


def _mean_block(library: Library, keys: Sequence[str]) -> float | None:
    """How long the blocks are that results were made of, seconds; None where no receipt tells.

    The last block of a session ends with it, and a session of ten minutes has no other.
    """
    store, lengths = Store(library.results), []
    for key in keys[:_LATEST_BLOCKS]:
        try:
            interval = store.receipt(_COUNTED_STEP, key).tree["interval_s"]
        except (UnknownResult, BrokenArtefact):
            continue  # removed meanwhile; the others tell as well
        lengths.append(float(interval["stop_s"]) - float(interval["start_s"]))
    return fmean(lengths) if lengths else None


def _disks(
    library: Library, samples: Sequence[Sample], days: float, now: datetime
) -> Iterable[Filling]:
    for folders in disks_of(library_folders(library)).values():
        try:
            usage = shutil.disk_usage(nearest_folder(folders[0]))
        except OSError:
            continue
        seen = [s.free_bytes[str(folders[0])] for s in samples if str(folders[0]) in s.free_bytes]
        yield make_filling(
            ", ".join(map(str, folders)),
            usage.free,
            usage.total,
            fall(seen) / days if days and len(seen) == len(samples) else None,
            now,
        )


def _quota(
    library: Library, ledger: Ledger, samples: Sequence[Sample], days: float, now: datetime
) -> Iterable[Filling]:
    quota = library.config.service.quota_gb * 1e9
    if not quota:
        return
    if not samples:
        samples = ledger.samples(now - timedelta(days=60))
    stored = samples[-1].stored_bytes if samples else 0
    per_day = rise([sample.stored_bytes for sample in samples]) / days if days else None
    yield make_filling("quota", max(0.0, quota - stored), quota, per_day, now)


def fall(values: Sequence[float]) -> float:
    """By how much values went down in all; where they went up (something was removed) is left out.

    Who removes something once a week would otherwise seem to have a disk that never fills.
    """
    return float(sum(max(0.0, a - b) for a, b in pairwise(values)))


def rise(values: Sequence[float]) -> float:
    """By how much values went up in all; where they went down (a row was deleted) is left out."""
    return fall([-value for value in values])


def make_filling(
    name: str, free: float, total: float, per_day: float | None, now: datetime
) -> Filling:
    """When something is full that fills at a pace."""
    full = None
    if per_day:
        days = free / per_day
        full = now + timedelta(days=days) if days < 36_500 else None
    return Filling(name=name, free_bytes=free, total_bytes=total, per_day_bytes=per_day, full=full)
