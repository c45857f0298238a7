"""From a validated row to a recording that can be planned."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from wakeful.config import Library
from wakeful.io.atomic import storable_text
from wakeful.io.channels_file import find_channels_file, label_stream
from wakeful.io.mirror import ASIDE_NAME, Manifest, scans_folder
from wakeful.io.recording import choose_stream, read_recording
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.model.errors import BadChannels, BadRecording
from wakeful.model.quality import Mark
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.pipeline.kept_models import keep_model
from wakeful.pipeline.planner import Target
from wakeful.sheet.request import Request

_SAME_START = timedelta(seconds=1)


def marks_of(ledger: Ledger, request: Request) -> tuple[Mark, ...]:
    """What people said of the channels of a row's recording, in the order they said it."""
    recording = storable_text(str(request.recording))
    return tuple(found.mark for found in ledger.marks(request.subject, recording))


def all_marks(ledger: Ledger) -> dict[tuple[str, str], tuple[Mark, ...]]:
    """(subject, recording) -> what people said of its channels; one look for all rows."""
    found: dict[tuple[str, str], tuple[Mark, ...]] = {}
    for record in ledger.marks():
        place = (record.subject, record.recording)
        found[place] = (*found.get(place, ()), record.mark)
    return found


@dataclass(frozen=True)
class Prepared:
    """A recording ready to be planned, and what a person must know about it."""

    target: Target
    description: Description
    warnings: tuple[str, ...]


def prepare(
    request: Request,
    library: Library,
    manifest: Manifest,
    manifest_folder: Path,
    marks: tuple[Mark, ...] = (),
) -> Prepared:
    """Open what was taken in, choose the stream and the channels, make the session.

    Parameters
    ----------
    marks : what people said of the recording's channels

    Raises
    ------
    BadRecording
        It can't be read, or no stream can be chosen.
    BadChannels
        The channels file does not fit.
    BadModel
        The trained scorer that the parameter set names is damaged.
    """
    root = Path(manifest.root)
    recording = read_recording(root, scans_folder(manifest_folder), manifest.growth)
    description = recording.description
    stream, stream_warnings = choose_stream(description, request.stream)
    stream, channel_warnings = _with_channels(description, stream, request, root)
    session, session_warnings = make_session(request, description, stream, library)
    session_warnings = (*session_warnings, *_telling_names(request, library))
    if not stream.spans:
        raise BadRecording(
            "holds no samples",
            where=stream.name,
            remedy="check the recording with `wakeful inspect`",
        )
    return Prepared(
        Target(
            recording,
            stream,
            session,
            manifest,
            manifest_folder,
            marks,
            horizon_s=math.inf if manifest.complete else stream.settled_s,
            models=_keep_models(request, library),
        ),
        description,
        (
            *_replaced(manifest, manifest_folder),
            *description.warnings,
            *stream_warnings,
            *channel_warnings,
            *session_warnings,
        ),
    )


def _keep_models(request: Request, library: Library) -> dict[str, str]:
    """The trained scorer that the row's parameter set names, kept beside the results."""
    name = library.parameters(request.params).get("sleep", {}).get("model", "")
    if not isinstance(name, str) or not name or Path(name).name != name:
        return {}
    folder = library.models / name
    return {name: keep_model(Store(library.results), folder)} if folder.is_dir() else {}


def _replaced(manifest: Manifest, folder: Path) -> tuple[str, ...]:
    if not manifest.replaced:
        return ()
    names = ", ".join(manifest.replaced)
    kept = folder / ASIDE_NAME
    return (
        f"the source has changed since it was first copied: {names}; earlier copies are in {kept}",
    )


def _with_channels(
    description: Description, stream: Stream, request: Request, root: Path
) -> tuple[Stream, tuple[str, ...]]:
    """The stream with its channels described, and only those of the row's subject."""
    file = request.channels or find_channels_file(root)
    elsewhere = [c.name for s in description.streams if s is not stream for c in s.channels]
    stream, warnings = label_stream(stream, file, elsewhere)
    owners = {channel.subject for channel in stream.channels} - {""}
    if owners and request.subject not in owners:
        raise BadChannels(
            f"no channel belongs to {request.subject}",
            where=str(file),
            remedy=f"correct the row or the file, which knows {', '.join(sorted(owners))}",
        )
    mine = tuple(c for c in stream.channels if c.subject in ("", request.subject))
    return replace(stream, channels=mine), warnings


def make_session(
    request: Request, description: Description, stream: Stream, library: Library
) -> tuple[Session, tuple[str, ...]]:
    """The session of a stream, with the lab's clock, light and mains."""
    lab, work = library.config.lab, library.config.work
    start_utc, warnings = find_start(description, request.recording.name, library)
    light, mains_hz, more = conditions_of(request.subject, library, start_utc, stream.duration_s)
    session = Session(
        name=session_name(request.recording, start_utc, lab.time_zone),
        subject=Subject(identifier=request.subject),
        start_utc=start_utc,
        duration_s=stream.duration_s,
        time_zone=lab.time_zone,
        light=light,
        mains_hz=mains_hz,
        epoch_s=work.epoch_s,
        block_s=work.block_s,
    )
    return session, (*warnings, *more)


def _telling_names(request: Request, library: Library) -> tuple[str, ...]:
    """A name that gives away what is hidden."""
    animal = library.animal(request.subject)
    if animal is None or not library.config.blinding.hide_groups:
        return ()
    told = animal.tells_group(request.subject, request.recording.name, request.notes)
    return (f"the {told} is hidden, and subject, recording or notes tell it",) if told else ()


def conditions_of(
    subject: str, library: Library, start_utc: datetime | None, duration_s: float
) -> tuple[LightSchedule | None, float, tuple[str, ...]]:
    """Light and mains (Hz) that an animal was recorded under, and what a person must know of it."""
    lab, animal = library.config.lab, library.animal(subject)
    if animal is None:
        return lab.light, float(lab.mains_hz), ()
    notes = [f"{subject} is excluded: {animal.excluded}"] if animal.excluded else []
    mains_hz = float(animal.mains_hz or lab.mains_hz)
    if start_utc is None:
        light = lab.light if not animal.lights else animal.light(date.min)
        return light, mains_hz, tuple(notes)
    zone = ZoneInfo(lab.time_zone)
    first = start_utc.astimezone(zone).date()
    last = (start_utc + timedelta(seconds=duration_s)).astimezone(zone).date()
    light = animal.light(first) or lab.light
    if changes := [day for day in animal.light_changes() if first < day <= last]:
        notes.append(
            f"the light schedule of {subject} changes on {', '.join(map(str, changes))}, within "
            "the session: zeitgeber time and light phases count from the schedule at its start"
        )
    return light, mains_hz, tuple(notes)


def find_start(
    description: Description, name: str, library: Library
) -> tuple[datetime | None, tuple[str, ...]]:
    """When a recording began, and what a person must know of it.

    What wakeful.toml says of the recording holds before what its files say. A local time that the
    clocks showed twice is taken to be the first, and the warning says how to correct that.

    Parameters
    ----------
    name : of the recording's folder or file, as in [lab.starts]
    """
    zone = library.config.lab.time_zone
    told = library.config.lab.starts.get(name)
    if description.start_utc is None:
        return (None if told is None else told.astimezone(UTC)), ()
    local = description.start_utc.replace(tzinfo=None)
    if not description.start_is_local:
        readings: tuple[datetime, ...] = (description.start_utc,)
    else:
        readings = tuple(
            local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)
        )
    if told is not None:
        told = told.astimezone(UTC)
        if min(abs(told - reading) for reading in readings) < _SAME_START:
            return told, ()
        return told, (
            (
                f"wakeful.toml says that {name} began at {told:%F %T} UTC, its files say "
                f"{local:%F %T}{'' if description.start_is_local else ' UTC'}; "
                "wakeful.toml is followed"
            ),
        )
    if not description.start_is_local:
        return description.start_utc, ()
    start_utc, ambiguous = local_to_utc(local, zone)
    if not ambiguous:
        return start_utc, ()
    shown, other = (reading.astimezone(ZoneInfo(zone)) for reading in readings)
    if shown.replace(tzinfo=None) == local:
        doubt = f"came twice, the first ({shown:%H:%M %Z}) is used"
    else:
        doubt = f"did not exist, {shown:%H:%M %Z} is used"
    return start_utc, (
        (
            f"the clocks changed in {zone} when the recording began: {local:%H:%M} {doubt}; if it "
            f'was the other, write "{name}" = "{other.isoformat()}" under [lab.starts] in '
            "wakeful.toml"
        ),
    )


def local_to_utc(local: datetime, zone: str) -> tuple[datetime, bool]:
    """A time on the lab's clock in UTC, and whether that clock showed it twice, or never.

    A time that the clock skipped is taken as if the clocks had not yet changed.
    """
    here = ZoneInfo(zone)
    first, second = (local.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, abs(first - second) > timedelta(0)


def session_name(recording: Path, start_utc: datetime | None, zone: str) -> str:
    """Folder-safe name: when it began (the lab's clock) and what the files are called."""
    stem = recording.stem if recording.suffix and recording.is_file() else recording.name
    slug = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).strip("-.") or "recording"
    if start_utc is None:
        return slug[:80]
    return f"{start_utc.astimezone(ZoneInfo(zone)):%Y-%m-%d_%H-%M-%S}_{slug[:80]}"
