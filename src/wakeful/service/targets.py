"""From a validated row to a recording that can be planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from wakeful.config import Library
from wakeful.io.atomic import storable_text
from wakeful.io.channels_file import find_channels_file, label_stream
from wakeful.io.mirror import ASIDE_NAME, Manifest, scans_folder
from wakeful.io.recording import choose_stream, read_recording
from wakeful.ledger import Ledger
from wakeful.model.errors import BadChannels, BadRecording
from wakeful.model.quality import Mark
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Session, Subject
from wakeful.pipeline.planner import Target
from wakeful.sheet.request import Request


def marks_of(ledger: Ledger, request: Request) -> tuple[Mark, ...]:
    """What people said of the channels of a row's recording, in the order they said it."""
    recording = storable_text(str(request.recording))
    return tuple(found.mark for found in ledger.marks(request.subject, recording))


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
    """
    root = Path(manifest.root)
    recording = read_recording(root, scans=scans_folder(manifest_folder))
    description = recording.description
    stream, stream_warnings = choose_stream(description, request.stream)
    stream, channel_warnings = _with_channels(description, stream, request, root)
    session, session_warnings = make_session(request, description, stream, library)
    if not stream.spans:
        raise BadRecording(
            "holds no samples",
            where=stream.name,
            remedy="check the recording with `wakeful inspect`",
        )
    return Prepared(
        Target(recording, stream, session, manifest, manifest_folder, marks),
        description,
        (
            *_replaced(manifest, manifest_folder),
            *description.warnings,
            *stream_warnings,
            *channel_warnings,
            *session_warnings,
        ),
    )


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
    warnings: list[str] = []
    start_utc = description.start_utc
    if start_utc is not None and description.start_is_local:
        local = start_utc.replace(tzinfo=None)
        start_utc, ambiguous = local_to_utc(local, lab.time_zone)
        if ambiguous:
            shown = start_utc.astimezone(ZoneInfo(lab.time_zone))
            exists = shown.replace(tzinfo=None) == local
            warnings.append(
                f"the clocks changed in {lab.time_zone} when the recording began: {local:%H:%M} "
                + (
                    f"came twice, the first ({shown:%H:%M %Z}) is used"
                    if exists
                    else f"did not exist, {shown:%H:%M %Z} is used"
                )
            )
    session = Session(
        name=session_name(request.recording, start_utc, lab.time_zone),
        subject=Subject(identifier=request.subject),
        start_utc=start_utc,
        duration_s=stream.duration_s,
        time_zone=lab.time_zone,
        light=lab.light,
        mains_hz=float(lab.mains_hz),
        epoch_s=work.epoch_s,
        block_s=work.block_s,
    )
    return session, tuple(warnings)


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
