"""Laying a video's frames on a recording's time: align."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.markup import escape

from wakeful.cli.output import JsonOption, console, duration, print_json
from wakeful.clock import fit_clock, time_frames
from wakeful.clock.edges import rising_edges
from wakeful.io.atomic import write_bytes
from wakeful.io.codec import to_plain
from wakeful.io.frame_times import (
    FrameTimesFile,
    read_frame_times,
    read_pulses,
    write_frame_times,
)
from wakeful.io.recording import read_recording
from wakeful.model.clock import ClockParams, DeviceClock, FrameFlag, FrameTimes
from wakeful.model.errors import BadParameters, BadRecording
from wakeful.model.events import EventSeries

_TABLES = (".csv", ".txt", ".tsv", ".npy")


class UnitChoice(StrEnum):
    """Units of frame times."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"


def align(
    frame_times: Annotated[
        Path, typer.Argument(help="What the camera wrote: a time a frame (CSV, text or .npy).")
    ],
    recording: Annotated[
        Path,
        typer.Argument(
            help="The recording with the pulses, or a file with a pulse a row (seconds from the "
            "recording's start)."
        ),
    ],
    line: Annotated[
        str, typer.Option(help="The line with the pulses, e.g. ttl-3. Default: the only one.")
    ] = "",
    unit: Annotated[
        UnitChoice | None,
        typer.Option(help="Of the frame times, where the file doesn't say.", show_default=False),
    ] = None,
    column: Annotated[str, typer.Option(help="The column of the frame times.")] = "",
    seen: Annotated[
        Path | None,
        typer.Option(
            help="Frames (counted from 0) on which each sync pulse was first seen, one a row: for "
            "an LED in the picture. Default: a pulse came with every frame.",
            show_default=False,
        ),
    ] = None,
    first_at_first: Annotated[
        bool,
        typer.Option(
            "--first-at-first",
            help="The first frame is the first pulse: your word, asked for only where nothing in "
            "the pulses tells one from the next.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the times of the frames: .csv or .npy.", show_default=False),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw residuals, drift and missing frames: .png, .pdf or .svg."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """When each frame of a video was taken, on the recording's time.

    Says how many frames found their pulse, how far the clocks run apart, and how large the error is
    at pulses that were left out of the fit. What can't be aligned is refused, with the reason.
    """
    file = read_frame_times(
        frame_times.expanduser(),
        unit=None if unit is None else unit.value,
        column=column or None,
    )
    pulses_s, name = _pulses(recording.expanduser(), line)
    event_frame = np.arange(file.n_frames) if seen is None else _seen(seen.expanduser(), file)
    period_s = float(np.median(np.diff(file.device_s)))
    params = ClockParams(
        resolution_s=0.0 if seen is None else period_s,
        largest_error_s=period_s / 2,
        first_at_first=first_at_first,
    )
    clock = fit_clock(
        file.device_s[event_frame],
        pulses_s,
        frame=event_frame,
        counter=file.counter if seen is None else None,
        params=params,
    )
    frames = time_frames(clock, file.device_s)
    if out is not None:
        write_frame_times(out.expanduser(), frames)
    if figure is not None:
        _draw(clock, frames, f"{file.path.name} on {name}", figure.expanduser())
    if as_json:
        print_json(_facts(file, clock, frames, name))
        return
    _print(file, clock, frames, name)
    for path in (out, figure):
        if path is not None:
            console.print(f"written: {escape(str(path))}", highlight=False, soft_wrap=True)


def _pulses(path: Path, line: str) -> tuple[NDArray[np.float64], str]:
    """Times of the pulses, and what the line is called."""
    if path.is_file() and path.suffix.lower() in _TABLES and not line:
        return read_pulses(path), path.name
    lines = {s.name: s for s in read_recording(path).read_events() if s.n_events}
    if not lines:
        raise BadRecording(
            "the recording holds no events",
            where=str(path),
            remedy="give a file with the times of the pulses, one a row",
        )
    chosen = _choose_line(lines, line, path)
    return rising_edges(chosen), chosen.name


def _choose_line(lines: dict[str, EventSeries], wanted: str, path: Path) -> EventSeries:
    shown = ", ".join(f"{name} ({len(rising_edges(s)):,} pulses)" for name, s in lines.items())
    if wanted:
        alike = [s for name, s in lines.items() if _folded(name) == _folded(wanted)]
        if len(alike) == 1:
            return alike[0]
        raise BadParameters(f"there is no line {wanted}", where=str(path), remedy=f"it has {shown}")
    if len(lines) == 1:
        return next(iter(lines.values()))
    raise BadParameters(
        "several lines hold events", where=str(path), remedy=f"choose one with --line: {shown}"
    )


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _seen(path: Path, file: FrameTimesFile) -> NDArray[np.int64]:
    numbers = read_pulses(path)
    frames = np.rint(numbers).astype(np.int64)
    odd = (frames != numbers) | (frames < 0) | (frames >= file.n_frames)
    if odd.any():
        raise BadRecording(
            f"{int(odd.sum())} entries are no frames of the video (0 to {file.n_frames - 1})",
            where=str(path),
            remedy="count frames from 0, one a row",
        )
    return np.unique(frames)


def _draw(clock: DeviceClock, frames: FrameTimes, title: str, path: Path) -> None:
    from wakeful.figures.alignment import draw_alignment
    from wakeful.figures.render import FORMATS, render, stamp

    fmt = next((f for f in FORMATS if path.suffix.lower() == f".{f}"), None)
    if fmt is None:
        raise BadParameters(
            f"figures are written as {', '.join(FORMATS)}",
            where=str(path),
            remedy="choose another name",
        )
    drawn = draw_alignment(clock, frames, title)
    key = hashlib.sha256(frames.start_s.tobytes()).hexdigest()
    stamp(drawn, key, "align")
    write_bytes(path, render(drawn, fmt, key))


def _facts(
    file: FrameTimesFile, clock: DeviceClock, frames: FrameTimes, line: str
) -> dict[str, Any]:
    return {
        "frame_times": str(file.path),
        "unit": file.unit,
        "unit_from": file.unit_from,
        "column": file.column,
        "line": line,
        "evidence": clock.evidence,
        "n_frames": file.n_frames,
        "n_pulses": clock.n_pulses,
        "n_matched": clock.n_matched,
        "lost": clock.lost,
        "extra": clock.extra,
        "drift_ppm": clock.drift_ppm,
        "segments": to_plain(clock.segments),
        "residual_p50_s": float(np.percentile(np.abs(clock.residual_s), 50)),
        "residual_p99_s": float(np.percentile(np.abs(clock.residual_s), 99)),
        "held_out": to_plain(clock.held_out),
        "frames": {flag.name.lower(): frames.count(flag) for flag in FrameFlag},
        "notes": list(clock.notes),
    }


def _print(file: FrameTimesFile, clock: DeviceClock, frames: FrameTimes, line: str) -> None:
    off_ms = np.abs(clock.residual_s) * 1000
    held = clock.held_out
    together = f", {held.n_together} at a time" if held.n_together > 1 else ""
    lines = [
        f"[bold]{escape(file.path.name)}[/]: {file.n_frames:,} frames, column "
        f"{escape(file.column)} in {file.unit} ({escape(file.unit_from)})"
        + (", with the camera's own count" if file.counter is not None else ""),
        (
            f"{escape(line)}: {clock.n_pulses:,} pulses; matched by {clock.evidence}: "
            f"{clock.n_matched:,} matched, {clock.lost:,} frames without a pulse, "
            f"{clock.extra:,} pulses without a frame"
        ),
        (
            f"session time gains {clock.drift_ppm:+.2f} ppm "
            f"({clock.drift_ppm * 86.4:+.0f} ms a day) on the device's"
        ),
        (
            f"residuals: median {np.percentile(off_ms, 50):.3g} ms, 99 % within "
            f"{np.percentile(off_ms, 99):.3g} ms"
        ),
        (
            f"held-out pulses ({held.n_pulses:,}{together}): median {held.p50_s * 1000:.3g} ms, "
            f"99 % within {held.p99_s * 1000:.3g} ms, all within {held.max_s * 1000:.3g} ms"
        ),
        f"{frames.n_timed:,} of {frames.n_rows:,} frames have a time",
    ]
    for text in lines:
        console.print(text, highlight=False, soft_wrap=True)
    for segment in clock.segments[1:]:
        at_s = clock.matched_session_s[np.searchsorted(clock.matched_frame, segment.first_frame)]
        console.print(
            f"[yellow]note[/] the device's clock stepped by {segment.step_s:+,.4g} s before frame "
            f"{segment.first_frame:,} ({duration(float(at_s))} into the session)",
            highlight=False,
            soft_wrap=True,
        )
    for flag in (FrameFlag.TOO_FAR, FrameFlag.AT_STEP, FrameFlag.DAMAGED):
        if frames.count(flag):
            console.print(
                f"[yellow]note[/] {frames.count(flag):,} frames: {flag.reason}", highlight=False
            )
    for note in clock.notes:
        console.print(f"[yellow]note[/] {escape(note)}", highlight=False, soft_wrap=True)
