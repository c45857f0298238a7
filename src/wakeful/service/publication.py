"""From finished results to what people get to see: figures, tables and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.atomic import storable_text
from wakeful.io.store import Receipt, Store
from wakeful.model.bouts import Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import SCORED, BandPower, Hypnogram
from wakeful.model.quality import ChannelQuality, Fault, join_faults
from wakeful.model.recording import Stream
from wakeful.model.sleep_events import SleepEvents
from wakeful.model.subject import Session
from wakeful.model.time import account_for
from wakeful.pipeline.machine import code_version, library_versions
from wakeful.pipeline.plan import Plan, Scope, Task
from wakeful.publish import (
    Published,
    Report,
    ReportFigure,
    ReportStep,
    ReportTable,
    bouts_table,
    channel_quality_csv,
    day_summaries_csv,
    describe_certainty,
    faults_table,
    hypnogram_csv,
    minutes_table,
    publish_files,
    quality_warnings,
    render_report,
    state_power_csv,
)
from wakeful.publish.bout_tables import ABOUT, bout_files
from wakeful.publish.event_tables import EVENT_STEPS, event_files
from wakeful.service.targets import Prepared
from wakeful.sheet.request import Request
from wakeful.steps.day import DaySummary

REPORT_NAME = "report.html"
SOURCE_NAME = "source.txt"
"""In each published folder: the recording it was made from."""
_PANELS = {"spectrogram", "band_power", "muscle", "hypnogram"}
"""Figures that the day at a glance shows too."""
_FIGURE_ORDER = (
    "day",
    "hypnogram",
    "sleep_bouts",
    "wake_kinds",
    "channel_quality",
    "spectrogram",
    "band_power",
    "muscle",
    "sleep_features",
    "state_spectra",
    "aperiodic",
    "coherence",
    "phase_lag",
)


@dataclass(frozen=True)
class Publication:
    """What was published for a row."""

    report: Path
    published: Published
    warnings: tuple[str, ...]
    """What a person must know, for the row too."""


@dataclass(frozen=True)
class _Drawn:
    """One figure of one receipt."""

    task: Task
    receipt: Receipt
    name: str
    file_stem: str


def publish_row(
    library: Library,
    store: Store,
    catalog: Catalog,
    request: Request,
    prepared: Prepared,
    plan: Plan,
) -> Publication:
    """Write the published folder of a row whose results are all there."""
    results = _Results(store, plan)
    figures = _figures(results, catalog)
    files: dict[str, bytes] = {}
    for drawn in figures:
        for fmt, file in drawn.receipt.tree["outputs"][drawn.name].items():
            path = drawn.receipt.folder / file
            files[f"figures/{drawn.file_stem}.{fmt}"] = path.read_bytes()
    session = plan.summary
    tables: list[ReportTable] = []
    beside: list[tuple[str, str]] = []
    summaries: list[DaySummary] = results.read_all("day", "day_summary", DaySummary)
    if summaries:
        tables.append(minutes_table(summaries))
        files["day_summaries.csv"] = day_summaries_csv(summaries)
        files["state_power.csv"] = state_power_csv(summaries)
        beside.append(("day_summaries.csv", "minutes in each state, per day and light phase"))
        beside.append(("state_power.csv", "mean band power per state and region, µV²"))
    scoring: list[str] = []
    unscored: list[str] = []
    for hypnogram in results.read_all("sleep", "hypnogram", Hypnogram):
        scoring += (*hypnogram.notes, *describe_certainty(hypnogram))
        if not np.isin(hypnogram.state, SCORED).any():
            reason = "; ".join(hypnogram.notes).removeprefix("not scored: ")
            unscored.append(f"sleep was not scored: {reason or 'there are no data'}")
        tables.append(bouts_table(hypnogram))
        files["hypnogram.csv"] = hypnogram_csv(session, hypnogram)
        beside.insert(
            0, ("hypnogram.csv", "the state of every epoch, as scored and smoothed, and how sure")
        )
    for name, data in _bout_files(results).items():
        files[name] = data
        beside.append((name, ABOUT[name]))
    for step in EVENT_STEPS:
        for events in results.read_all(step, step, SleepEvents):
            files |= event_files(step, events)
            kind = step.replace("_", " ")
            beside.append((f"{step}.csv", f"{kind}: when, where, how large"))
            beside.append((f"{step}_rates.csv", f"{kind}: how many a minute, of how many minutes"))
    faults, header_notes = _faults(results)
    if results.tasks("channel_quality"):
        files["channel_quality.csv"] = channel_quality_csv(session, faults)
        beside.append(("channel_quality.csv", "faults of channels: when, what was measured, why"))
    if faults:
        tables.append(faults_table(session, faults))
    warnings = (
        *prepared.warnings,
        *plan.notes,
        *request.notices,
        *quality_warnings(faults, _brain_channels(prepared.target.stream), session),
        *_silent_bands(results),
        *unscored,
    )
    report = Report(
        session=session,
        accounting=account_for(
            session.interval,
            session.interval,
            prepared.target.stream.spans,
            prepared.target.stream.quarantined,
        ),
        recording=_describe(prepared),
        regions=_regions(prepared.target.stream),
        facts=(
            *_facts(request, prepared),
            *(("scoring", note) for note in scoring),
            *(("channels", note) for note in header_notes),
        ),
        warnings=warnings,
        provisional=plan.goes_on,
        figures=tuple(_report_figure(drawn, catalog, session) for drawn in figures),
        tables=tuple(tables),
        files=tuple(beside),
        steps=tuple(_report_steps(results, catalog)),
        software={"wakeful": code_version(), **library_versions()},
    )
    files[REPORT_NAME] = render_report(report)
    files[SOURCE_NAME] = f"{storable_text(str(request.recording))}\n".encode()
    published = publish_files(
        library.published,
        session.subject.identifier,
        folder_name(library, request, session),
        files,
    )
    return Publication(published.folder / REPORT_NAME, published, warnings)


def folder_name(library: Library, request: Request, session: Session) -> str:
    """The session's name, and what sets the row apart from another row.

    Two recordings may have begun at the same moment under the same name: the second one published
    gets a few characters of its path's hash. Who a folder belongs to stands in it.
    """
    name = _plain_folder_name(request, session)
    source = storable_text(str(request.recording))
    owner = library.published / session.subject.identifier / name / SOURCE_NAME
    if not owner.is_file() or owner.read_text(encoding="utf-8").rstrip("\n") == source:
        return name
    return f"{name}_{sha256(source.encode()).hexdigest()[:6]}"


def _plain_folder_name(request: Request, session: Session) -> str:
    extras = [request.stream] if request.stream else []
    if request.params != "default":
        extras.append(request.params)
    if request.rerun:
        extras.append(f"rerun{request.rerun}")
    return "_".join([session.name, *extras])


class _Results:
    """The results of a plan, read when asked for."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self.plan = plan

    def receipt(self, task: Task) -> Receipt:
        return self._store.receipt(task.folder, task.key)

    def tasks(self, step: str, kind: str = "result") -> list[Task]:
        return [t for t in self.plan.tasks if t.step == step and t.kind == kind]

    def read_all(self, step: str, field: str, kind: type[Any]) -> list[Any]:
        return [self._store.read(t.step, t.key, field, kind) for t in self.tasks(step)]


def _silent_bands(results: _Results) -> list[str]:
    """What has no number from beginning to end, and why, as far as that can be told."""
    powers: list[BandPower] = results.read_all("band_power", "band_power", BandPower)
    if not powers:
        return []
    power = BandPower.join(powers)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(power.power_uv2).any(axis=0))
    notes = list(power.refused)
    notes += [
        f"{region}: no power in any epoch; its channels are flat or bad throughout (dead, railed "
        "or not plugged in), or no epoch is free of gaps"
        for region, bands in zip(power.regions, known, strict=True)
        if not bands.any()
    ]
    seen: NDArray[np.bool_] = np.asarray(known.any(axis=0))
    notes += [
        f"{band} ({low_hz:g} to {high_hz:g} Hz) reaches beyond what was recorded or stored, "
        "and has no numbers"
        for band, (low_hz, high_hz), found in zip(power.bands, power.edges_hz, seen, strict=True)
        if not found and known.any() and not any(f": {band} can't" in r for r in power.refused)
    ]
    return notes


def _faults(results: _Results) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    """The faults of all channels over the session, and what the headers say of the channels."""
    parts: list[ChannelQuality] = results.read_all(
        "channel_quality", "channel_quality", ChannelQuality
    )
    if not parts:
        return (), ()
    quality = ChannelQuality.join(parts)
    return join_faults(quality), quality.notes


def _bout_files(results: _Results) -> dict[str, bytes]:
    """Tables of bouts; none where the step was not asked for."""
    step = "sleep_bouts"
    read = results.read_all
    files: dict[str, bytes] = {}
    for bouts, hours, statistics in zip(
        read(step, "bouts", Bouts),
        read(step, "state_hours", StateHours),
        read(step, "bout_statistics", BoutStatistics),
        strict=True,
    ):
        files |= bout_files(bouts, hours, statistics)
    return files


def _brain_channels(stream: Stream) -> dict[str, tuple[str, ...]]:
    """Region -> its channels in the brain."""
    regions: dict[str, tuple[str, ...]] = {}
    for channel in stream.channels:
        if channel.kind.is_brain:
            regions[channel.region] = (*regions.get(channel.region, ()), channel.name)
    return regions


def _figures(results: _Results, catalog: Catalog) -> list[_Drawn]:
    drawn = [
        _Drawn(task, receipt, name, _stem(task.scope, name, results.plan.summary))
        for step in catalog.steps
        for task in results.tasks(step, "figure")
        for receipt in (results.receipt(task),)
        for name in receipt.tree["outputs"]
    ]

    def order(figure: _Drawn) -> tuple[int, int, str]:
        known = figure.name in _FIGURE_ORDER
        rank = _FIGURE_ORDER.index(figure.name) if known else len(_FIGURE_ORDER)
        return (rank, figure.task.scope.number, figure.name)

    return sorted(drawn, key=order)


def _when(scope: Scope, session: Session) -> str:
    """The date of a day; "" for what is about the whole session."""
    if scope.kind != "day":
        return ""
    if session.start_utc is None:
        return f"day-{scope.number + 1}"
    return session.days()[scope.number].date.isoformat()


def _stem(scope: Scope, name: str, session: Session) -> str:
    when = _when(scope, session)
    return f"{when}_{name}" if when else name


def _report_figure(drawn: _Drawn, catalog: Catalog, session: Session) -> ReportFigure:
    step = catalog.steps[drawn.task.step]
    when = _when(drawn.task.scope, session)
    title = step.title if drawn.name == step.name else drawn.name.replace("_", " ").capitalize()
    files = drawn.receipt.tree["outputs"][drawn.name]
    return ReportFigure(
        title=f"{title}, {when}" if when else title,
        caption=step.captions.get(drawn.name, step.summary),
        alternative=f"{title} of {session.subject.identifier} {when}".strip(),
        media_type="image/png",
        data=(drawn.receipt.folder / files["png"]).read_bytes(),
        key=drawn.receipt.key,
        panel=drawn.name in _PANELS,
        files=tuple(f"figures/{drawn.file_stem}.{fmt}" for fmt in files),
    )


def _report_steps(results: _Results, catalog: Catalog) -> Iterable[ReportStep]:
    for name, step in catalog.steps.items():
        for kind in ("result", "figure"):
            tasks = results.tasks(name, kind)
            if not tasks:
                continue
            receipts = [results.receipt(task) for task in tasks]
            yield ReportStep(
                name=name if kind == "result" else f"{name} (figures)",
                version=step.version if kind == "result" else step.draw_version,
                changed=tuple((k, str(v)) for k, v in tasks[0].changed.items()),
                n_results=len(tasks),
                seconds=sum(float(r.tree["seconds"]) for r in receipts),
                key=tasks[-1].key,
            )


def _describe(prepared: Prepared) -> str:
    stream = prepared.target.stream
    return (
        f"{prepared.description.format}, stream {stream.name}: {len(stream.channels)} channels "
        f"at {stream.rate_hz:,.6g} Hz"
    )


def _regions(stream: Stream) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c.region for c in stream.channels if c.kind.is_brain))


def _facts(request: Request, prepared: Prepared) -> tuple[tuple[str, str], ...]:
    stream = prepared.target.stream
    gaps = stream.gaps
    facts = [
        ("source", str(request.recording)),
        ("parameter set", request.params),
        (
            "gaps",
            "none"
            if not gaps
            else f"{len(gaps)}, {sum(g.duration_s for g in gaps):.3f} s in all; the longest "
            f"{max(g.duration_s for g in gaps):.3f} s",
        ),
    ]
    facts += [
        ("quarantined", f"{q.interval.start_s:.3f}-{q.interval.stop_s:.3f} s: {q.reason}")
        for q in stream.quarantined
    ]
    return tuple(facts)
