"""A session's report: one HTML file that holds everything it shows."""

from __future__ import annotations

import base64
import shlex
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from jinja2 import Environment, StrictUndefined, Template

from wakeful.model.subject import Session
from wakeful.model.time import Accounting

MediaType = Literal["image/png", "image/svg+xml"]


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure inside the report."""

    title: str
    caption: str
    alternative: str
    """What the figure shows, for those who can't see it."""
    media_type: MediaType
    data: bytes
    key: str
    files: tuple[str, ...] = ()
    """Where the same figure lies as a file, relative to the report: links."""
    panel: bool = False
    """Whether it is a panel of another figure on its own; these stand folded up at the end."""


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text_columns: int = 1
    """The columns after these hold numbers and are set to the right."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportStep:
    """One step of the chain that made the results."""

    name: str
    version: int
    changed: tuple[tuple[str, str], ...] = ()
    """Parameters that differ from their defaults: (name, value)."""
    n_results: int = 1
    """How many results (blocks, days) it gave."""
    seconds: float = 0.0
    """Summed over its results."""
    key: str = ""
    """Of its last result."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a report shows."""

    session: Session
    accounting: Accounting
    """Of the whole session, from its first sample to its end."""
    recording: str = ""
    """Format and what was read, for example "neuralynx, 12 channels at 32,000 Hz"."""
    regions: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    """Further lines of the header: (name, text); those of one name in a row become a list."""
    warnings: tuple[str, ...] = ()
    provisional: bool = False
    """Whether the session is still going on."""
    figures: tuple[ReportFigure, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Further files beside the report: (relative path, what it is)."""
    steps: tuple[ReportStep, ...] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    """Package -> version."""


def render_report(report: Report) -> bytes:
    """The report as one HTML page that needs no other file and no network.

    The same report gives the same bytes.
    """
    whole = tuple(figure for figure in report.figures if not figure.panel)
    panels = tuple(figure for figure in report.figures if figure.panel)
    page = _template().render(
        report=report,
        session=report.session,
        start=_start(report.session),
        parts=_parts(report.accounting),
        facts=_grouped(report.facts),
        whole_figures=whole,
        panels=panels,
        verify=shlex.quote(next((f for fig in (*whole, *panels) for f in fig.files), "FIGURE")),
    )
    return page.encode()


@cache
def _template() -> Template:
    """Compiled once: that takes far longer than to render it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["hms"] = _hms
    environment.filters["data_uri"] = _data_uri
    environment.filters["seconds"] = _seconds
    environment.filters["percent"] = _percent
    environment.filters["width_share"] = _width_share
    source = files("wakeful.publish").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)


def _start(session: Session) -> str:
    start = session.start_local
    if start is None:
        return "unknown (the files do not say)"
    offset = start.isoformat()[-6:]
    return f"{start:%Y-%m-%d %H:%M:%S} {session.time_zone} (UTC{offset})"


def _grouped(facts: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """The texts of each name, names in the order they come first."""
    grouped: dict[str, list[str]] = {}
    for name, text in facts:
        grouped.setdefault(name, []).append(text)
    return grouped


def _parts(accounting: Accounting) -> tuple[tuple[str, float, float], ...]:
    """Name, seconds and share of each part of the session's time."""
    whole_s = accounting.length_s or 1.0
    parts = (
        ("recorded", accounting.recorded_s),
        ("gap", accounting.gap_s),
        ("quarantined", accounting.quarantined_s),
        ("outside", accounting.outside_s),
    )
    return tuple(
        (name, part_s, part_s / whole_s)
        for name, part_s in parts
        if name in ("recorded", "gap") or part_s > 0
    )


def _hms(duration_s: float) -> str:
    """A length of time; below a minute with three digits, so that what is short is not lost."""
    if duration_s == 0:
        return "0 s"
    if duration_s < 0.9995e-3:
        return "<1 ms"
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.3g} ms"
    if duration_s < 59.95:
        return f"{duration_s:.3g} s"
    whole = round(duration_s)
    return f"{whole // 3600} h {whole // 60 % 60:02d} min {whole % 60:02d} s"


def _percent(share: float) -> str:
    """A share; one that is small is not written as none, nor one short of all as all."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %"


def _width_share(figure: ReportFigure) -> str:
    """A figure's width as a share of the house's; 1 where it is not told by a PNG's header."""
    if figure.data[:8] != b"\x89PNG\r\n\x1a\n" or len(figure.data) < 24:
        return "1"
    (pixels,) = struct.unpack_from(">I", figure.data, 16)
    # Matplotlib takes longer to load than most commands take to run.
    from wakeful.figures.style import MM_PER_INCH, PNG_DPI, WIDTH_MM

    share = min(1.0, pixels * MM_PER_INCH / PNG_DPI / WIDTH_MM)
    return f"{share:.3f}".rstrip("0").rstrip(".")


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _data_uri(figure: ReportFigure) -> str:
    return f"data:{figure.media_type};base64,{base64.b64encode(figure.data).decode('ascii')}"
