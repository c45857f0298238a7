"""`wakeful logs`: what the service did."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from wakeful.cli.output import JsonOption, LibraryOption, console
from wakeful.config import open_library
from wakeful.logs import LOG_NAME, log_files, render_plainly
from wakeful.model.errors import BadParameters

_LAST = 100
_LOOK_EVERY_S = 0.5
_LEVELS = ("debug", "info", "warning", "error", "critical")
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}


def logs(
    row: Annotated[int | None, typer.Option(help="Only of this row.")] = None,
    since: Annotated[
        str, typer.Option(help="Only since: 30min, 2h, 3d, or a time, e.g. 2026-03-02T21:00.")
    ] = "",
    level: Annotated[str, typer.Option(help="Only this and graver: info, warning, error.")] = "",
    last: Annotated[
        int | None,
        typer.Option(help="Only so many, the latest; 100 where neither this nor --since is given."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is to come.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the service did: rows, jobs, results, faults.

    The log lies in the library, in logs/wakeful.jsonl, a line of JSON for each event. It is
    bounded: the oldest lines go. What a worker said is in the log.txt of its job.
    """
    opened = open_library(library)
    if level and level not in _LEVELS:
        raise BadParameters(
            f"{level!r} is no level", where="--level", remedy=f"use one of {', '.join(_LEVELS)}"
        )
    zone = opened.config.lab.time_zone
    choose = _Choice(row, _parse_since(since, zone), _LEVELS[_LEVELS.index(level or "debug") :])
    if last is None and not since:
        last = _LAST
    held: list[dict[str, Any]] = []
    events = follow_events(opened.logs)
    for event in events:
        if event is None:
            break
        if choose.takes(event):
            held.append(event)
            if last is not None and len(held) > 2 * last + 1000:
                held = held[len(held) - last :]
    for event in held if last is None else held[len(held) - min(last, len(held)) :]:
        _show(event, zone, as_json=as_json)
    if not held and not follow and not as_json:
        where = opened.logs / LOG_NAME
        console.print(
            f"nothing to show in {where}" if where.is_file() else f"there is no log yet at {where}",
            markup=False,
        )
    if not follow:
        return
    try:
        for event in events:
            if event is None:
                time.sleep(_LOOK_EVERY_S)
            elif choose.takes(event):
                _show(event, zone, as_json=as_json)
    except KeyboardInterrupt:
        return


class _Choice:
    def __init__(self, row: int | None, since: datetime | None, levels: tuple[str, ...]) -> None:
        self._row = row
        self._since = since
        self._levels = levels

    def takes(self, event: dict[str, Any]) -> bool:
        if self._row is not None and event.get("row") != self._row:
            return False
        if event.get("level", "info") not in self._levels:
            return False
        if self._since is None:
            return True
        moment = _moment(event)
        return moment is not None and moment >= self._since


def follow_events(folder: Path) -> Iterator[dict[str, Any] | None]:
    """All events of a log, oldest first, and those still to come; never ends.

    Gives None where nothing more is there just now: whoever wants to go on asks again later. Lines
    that a full disk cut short are left out.
    """
    for path in log_files(folder):
        if path.name != LOG_NAME:
            with path.open("rb") as older:
                yield from filter(None, map(_parse, older))
    path = folder / LOG_NAME
    while True:
        file = _open(path)
        if file is None:
            yield None
            continue
        with file:
            yield from _follow_file(file, path)


def _follow_file(file: BinaryIO, path: Path) -> Iterator[dict[str, Any] | None]:
    """The events of a file, until another one stands in its place."""
    rest, goes_on = b"", True
    while goes_on:
        # Asked before the last lines are read: whoever begins a new file writes no more to this.
        goes_on = _is_still(file, path)
        while line := file.readline():
            rest += line
            if rest.endswith(b"\n"):
                if (event := _parse(rest)) is not None:
                    yield event
                rest = b""
        if goes_on:
            yield None


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _is_still(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _moment(event: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(event["time"]))
    except (KeyError, ValueError):
        return None


def _parse_since(text: str, zone: str) -> datetime | None:
    """When the log is to be shown from.

    Raises
    ------
    BadParameters
        It is neither a stretch of time nor a time.
    """
    from zoneinfo import ZoneInfo

    if not text.strip():
        return None
    if found := re.fullmatch(r"\s*([0-9.]+)\s*(s|min|m|h|d|w)\s*", text):
        try:
            seconds = float(found[1]) * _UNITS[found[2]]
            return datetime.now(UTC) - timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadParameters(
            f"{text!r} is neither a stretch of time nor a time",
            where="--since",
            remedy="give for example 30min, 2h, 3d or 2026-03-02T21:00",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _show(event: dict[str, Any], zone: str, *, as_json: bool) -> None:
    from zoneinfo import ZoneInfo

    if as_json:
        typer.echo(json.dumps(event, ensure_ascii=False))
        return
    if (moment := _moment(event)) is not None:
        event = {**event, "time": moment.astimezone(ZoneInfo(zone)).isoformat()}
    console.print(
        render_plainly(None, "", event),
        style=_STYLES.get(str(event.get("level")), ""),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
