"""Options that all commands on hand scores share, and how files are read with them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from wakeful.io.scores import ReadOptions, read_scores
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadParameters
from wakeful.model.scores import ScoredStretches
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.sleep.hand_scores import (
    LabelMap,
    make_hypnogram,
    offset_from_clock,
    parse_label_map,
)


class Kind(StrEnum):
    """The formats of hand scores."""

    CSV = "csv"
    EDF = "edf"
    ACCUSLEEP = "accusleep"
    VISBRAIN = "visbrain"
    MAT = "mat"
    BUZCODE = "buzcode"
    SPIKE2 = "spike2"
    SIRENIA = "sirenia"
    NWB = "nwb"


class Artefacts(StrEnum):
    """What becomes of epochs that were scored and marked as artefacts besides."""

    KEEP = "keep"
    UNCLASSIFIED = "unclassified"


FromOption = Annotated[
    Kind | None,
    typer.Option(
        "--from", help="The format. Default: found from name and contents.", show_default=False
    ),
]
EpochOption = Annotated[
    float | None,
    typer.Option(
        "--epoch", help="Epoch length, s, of files that do not say it.", show_default=False
    ),
]
ResampleOption = Annotated[
    float | None,
    typer.Option(
        "--resample",
        help="Epoch length, s, to bring scores to. An epoch gets the state that fills most of it; "
        "unclassified where two fill equally much; no data where a part was not scored.",
        show_default=False,
    ),
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help='What labels mean that are no common names: "W=awake, 1=NREM, puff=ignore". States: '
        "awake, NREM, REM, unclassified, no data; repeatable.",
    ),
]
ColumnOption = Annotated[
    str | None,
    typer.Option(
        help="The column (CSV), variable (.mat) or channel (Spike2) with the labels.",
        show_default=False,
    ),
]
OffsetOption = Annotated[
    float | None,
    typer.Option(
        help="By how many seconds scoring begins after the session. Default: 0, or what --start "
        "and the file's clock say.",
        show_default=False,
    ),
]
StartOption = Annotated[
    datetime | None,
    typer.Option(
        help="When the session began, on the clock of the scores.",
        show_default=False,
        formats=["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"],
    ),
]
ArtefactsOption = Annotated[
    Artefacts,
    typer.Option(help='What becomes of epochs marked as artefacts besides ("Non REM X").'),
]
ZoneOption = Annotated[
    str | None,
    typer.Option(
        help="Time zone of that clock, for figures and NWB: Europe/Berlin.",
        show_default=False,
    ),
]
LightsOption = Annotated[
    str | None,
    typer.Option(
        help="When the lights are on: 07:00-19:00. Needs --start and --zone.", show_default=False
    ),
]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files of scores are read and laid onto the session's clock."""

    kind: Kind | None
    epoch_s: float | None
    resample_s: float | None
    labels: LabelMap
    column: str | None
    offset_s: float | None
    start: datetime | None
    artefacts: Artefacts

    def read(self, path: Path) -> ScoredStretches:
        """The file as it is."""
        options = ReadOptions(epoch_s=self.epoch_s, column=self.column)
        return read_scores(path, None if self.kind is None else self.kind.value, options)

    def place(self, stretches: ScoredStretches, start: datetime | None) -> Hypnogram:
        """On the session's clock; `start` is its start on the clock of the file."""
        offset_s = self.offset_s or 0.0
        if self.offset_s is None and start is not None and stretches.zero_local is not None:
            offset_s = offset_from_clock(stretches, start)
        return make_hypnogram(
            stretches,
            epoch_s=self.resample_s,
            offset_s=offset_s,
            labels=self.labels,
            keep_artefacts=self.artefacts is Artefacts.KEEP,
        )


def reads_scores(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `reading` is given to people as the options that make it up."""
    # Typer takes options from a signature: that of the command, with those of `_make_reading`.
    made = inspect.signature(_make_reading, eval_str=True)
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        options = {name: given.pop(name) for name in made.parameters}
        command(reading=_make_reading(**options), **given)

    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += made.parameters.values() if name == "reading" else [parameter]
    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    run.__signature__ = own.replace(parameters=keyword_only)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return run


def _make_reading(
    *,
    from_: FromOption = None,
    epoch: EpochOption = None,
    resample: ResampleOption = None,
    labels: LabelsOption = None,
    column: ColumnOption = None,
    offset: OffsetOption = None,
    start: StartOption = None,
    artefacts: ArtefactsOption = Artefacts.KEEP,
) -> Reading:
    return Reading(
        kind=from_,
        epoch_s=epoch,
        resample_s=resample,
        labels=parse_label_map(labels or ()),
        column=column,
        offset_s=offset,
        start=start,
        artefacts=artefacts,
    )


def make_session(
    subject: str, duration_s: float, start: datetime | None, zone: str | None, lights: str | None
) -> Session:
    """A session of files alone, for figures and light phases.

    Raises
    ------
    BadParameters
        The zone or the light schedule can't be read, or lacks what it needs.
    """
    if lights is not None and (start is None or zone is None):
        raise BadParameters(
            "lights mean nothing without a clock",
            where="--lights",
            remedy="give --start and --zone",
        )
    start_utc = None
    if start is not None and zone is not None:
        try:
            start_utc = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise BadParameters(
                f"there is no time zone {zone!r}", where="--zone", remedy="as in Europe/Berlin"
            ) from error
    return Session(
        name="",
        subject=Subject(identifier=subject),
        start_utc=start_utc,
        duration_s=duration_s,
        time_zone=zone or "UTC",
        light=None if lights is None else _parse_lights(lights),
    )


def _parse_lights(text: str) -> LightSchedule:
    match = re.fullmatch(r"\s*(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)\s*", text)
    try:
        if match is None:
            raise ValueError(text)
        on, off = (time.fromisoformat(part.rjust(5, "0")) for part in match.groups())
    except ValueError:
        raise BadParameters(
            f"{text!r} does not say when the lights are on",
            where="--lights",
            remedy="write 07:00-19:00",
        ) from None
    return LightSchedule(on=on, off=off)
