"""A session as one NWB file, for DANDI, pynapple, MATLAB and whoever comes next.

Samples keep the type they are stored in; what turns them into volts stands beside them. A recording
without a gap has a starting time and a rate. One with gaps has a time for every sample, since
nothing else in NWB tells a reader of a gap that does not look for it; the gap-free stretches and
the gaps are tables too (the decision on gaps in NWB tells more).

pynwb takes seconds to import: this module is imported only when a file is written.
"""

from __future__ import annotations

import os
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hdmf.common import DynamicTable, VectorData
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ecephys import LFP, ElectricalSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject as NwbSubject

from wakeful.io.atomic import sync_file, sync_folder
from wakeful.model.errors import BadParameters, BadRecording
from wakeful.model.subject import UNKNOWN_REGION, Channel, ChannelKind, Subject
from wakeful.publish.contents import Compression, NwbOptions, Progress, SessionContents
from wakeful.publish.nwb_results import add_behaviour, add_results
from wakeful.publish.nwb_streams import (
    compressed,
    conversion_of,
    sample_pieces,
    time_pieces,
)
from wakeful.publish.samples import Samples
from wakeful.publish.target import check_target

UNKNOWN_SPECIES = "http://purl.obolibrary.org/obo/NCBITaxon_33208"
"""Metazoa: an animal. NWB asks for a species, and more than this is not known."""
UNKNOWN_AGE = "P0D/"
"""Born or older: NWB asks for an age, and more than this is not known."""

_SERIES_NAMES = {
    ChannelKind.LFP: "ElectricalSeriesLFP",
    ChannelKind.EEG: "ElectricalSeriesEEG",
    ChannelKind.EMG: "EMG",
    ChannelKind.OTHER: "OtherChannels",
}
_TITLES = {
    ChannelKind.LFP: "Local field potential",
    ChannelKind.EEG: "EEG",
    ChannelKind.EMG: "EMG",
    ChannelKind.OTHER: "Other channels",
}


def write_nwb(
    contents: SessionContents,
    path: Path,
    options: NwbOptions | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a session as an NWB file; it is whole or not there.

    Parameters
    ----------
    path : the file, ending in .nwb
    progress : told the share of the samples that is written

    Raises
    ------
    BadParameters
        The file is there already, its name does not end in .nwb, or its folder is missing.
    BadRecording
        The session's start is unknown, and NWB can't do without.
    """
    options = options or NwbOptions()
    check_target(path, (".nwb",), overwrite=options.overwrite)
    nwbfile = make_nwb(contents, options, progress)
    temporary = path.with_name(
        f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp{path.suffix}"
    )
    try:
        with NWBHDF5IO(str(temporary), "w") as io:
            io.write(nwbfile)
        sync_file(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def make_nwb(
    contents: SessionContents, options: NwbOptions, progress: Progress | None = None
) -> NWBFile:
    """The file's contents; long arrays are read when it is written."""
    session = contents.session
    start = _start(contents, options.start)
    lab = contents.lab
    version = contents.code_version
    nwbfile = NWBFile(
        session_description=_description(contents, start),
        identifier=contents.identifier,
        session_start_time=start,
        session_id=_object_name(contents.name),
        institution=lab.institution or None,
        lab=lab.lab or None,
        experimenter=list(lab.experimenters) or None,
        experiment_description=lab.description
        or f"Chronic recording of {contents.subject.identifier}; analysed by Wakeful.",
        surgery=contents.surgery or None,
        pharmacology=contents.pharmacology or None,
        keywords=list(lab.keywords) or _keywords(contents),
        notes="\n".join(contents.notes) or None,
        data_collection=f"{contents.recording_format} recording {contents.source!r}, stream "
        f"{contents.stream}; time zone {session.time_zone}"
        + ("" if session.light is None else f"; lights on {session.light.on:%H:%M} to ")
        + ("" if session.light is None else f"{session.light.off:%H:%M}"),
        source_script=f"wakeful export nwb {contents.name}  # Wakeful {version}",
        source_script_file_name="wakeful",
        was_generated_by=[["wakeful", version]],
        subject=_subject(contents.subject, contents.strain, start),
    )
    _add_spans(nwbfile, contents)
    electrodes = _add_electrodes(nwbfile, contents)
    nwbfile.create_processing_module(
        "ecephys", "Samples at a lower rate, and what was computed from them"
    )
    _add_channels(nwbfile, contents)
    series = None
    if contents.lfp is not None and options.lfp and contents.lfp.spans:
        series = _add_samples(nwbfile, contents, electrodes, options.compression, progress)
    add_results(nwbfile, contents, series, options.compression)
    add_behaviour(nwbfile, contents, options.compression)
    _add_provenance(nwbfile, contents)
    return nwbfile


def _start(contents: SessionContents, given: datetime | None) -> datetime:
    """When the session began, on the lab's clock."""
    known = contents.session.start_utc
    zone = ZoneInfo(contents.session.time_zone)
    if known is not None:
        if given is not None:
            raise BadParameters(
                f"the recording says that it began at {known:%F %T} UTC",
                where="--start",
                remedy="leave the option out",
            )
        return known.astimezone(zone)
    if given is None:
        raise BadRecording(
            "the recording does not say when it began, and an NWB file must",
            where=contents.name,
            remedy="say it with --start, e.g. --start 2026-03-02T09:15:00 on the lab's clock",
        )
    return given.replace(tzinfo=zone) if given.tzinfo is None else given.astimezone(zone)


def _description(contents: SessionContents, start: datetime) -> str:
    session = contents.session
    began = start.isoformat(timespec="seconds")
    found = [
        f"{session.duration_s / 3600:,.3f} h of {contents.subject.identifier} from {began}",
        f"{len(contents.gaps)} gaps" if contents.gaps else "no gaps",
        f"{len(contents.channels)} channels",
        f"results by Wakeful {contents.code_version}; what made each is in analysis/provenance",
    ]
    return "; ".join(found)


def _keywords(contents: SessionContents) -> list[str]:
    regions = dict.fromkeys(c.region for c in contents.channels if c.kind.is_brain)
    known = [region for region in regions if region != UNKNOWN_REGION]
    kinds = dict.fromkeys(c.kind.value.upper() for c in contents.channels)
    sleep = ["sleep", "hypnogram"] if contents.hypnogram is not None else []
    return [*kinds, *known, *sleep] or ["electrophysiology"]


def _subject(subject: Subject, strain: str, start: datetime) -> NwbSubject:
    """What is known of the animal; nothing is made up for what is not."""

    def known(text: str) -> str | None:
        return None if text in ("", "unknown") else text

    about: dict[str, Any] = {"age": UNKNOWN_AGE, "age__reference": "birth"}
    if subject.birth is not None:
        about["date_of_birth"] = datetime.combine(
            subject.birth, datetime.min.time(), tzinfo=start.tzinfo
        )
        about["age"] = f"P{max(0, (start.date() - subject.birth).days)}D"
    return NwbSubject(
        subject_id=_object_name(subject.identifier),
        species=known(subject.species) or UNKNOWN_SPECIES,
        sex=known(subject.sex) or "U",
        genotype=known(subject.genotype),
        strain=known(strain),
        description=f"Subject {subject.identifier}",
        **about,
    )


def _add_spans(nwbfile: NWBFile, contents: SessionContents) -> None:
    """What was recorded as intervals, and what was not or can't be trusted as invalid times."""
    spans = contents.lfp.spans if contents.lfp is not None else ()
    if spans:
        recorded = TimeIntervals(
            name="recorded",
            description="Gap-free stretches of the samples; nothing may be computed across their "
            "borders. The rate is that of the samples, fitted to the acquisition's time stamps.",
        )
        recorded.add_column("rate_hz", "Samples per second in this stretch")
        recorded.add_column("n_samples", "Samples in this stretch")
        for span in spans:
            recorded.add_row(
                start_time=span.start_s,
                stop_time=span.stop_s,
                rate_hz=span.rate_hz,
                n_samples=span.n_samples,
            )
        nwbfile.add_time_intervals(recorded)
    bad = [(gap, "gap: nothing was recorded") for gap in contents.gaps]
    bad += [(q.interval, f"quarantined: {q.reason}") for q in contents.quarantined]
    if bad:
        nwbfile.add_invalid_times_column("reason", "Why there is nothing, or nothing to trust")
    for interval, reason in sorted(bad):
        nwbfile.add_invalid_time_interval(
            start_time=interval.start_s, stop_time=interval.stop_s, reason=reason
        )


def _add_electrodes(nwbfile: NWBFile, contents: SessionContents) -> dict[str, int]:
    """The channels in the brain as electrodes; returns the row of each by the channel's name."""
    device = nwbfile.create_device(
        name="acquisition",
        description=f"Acquisition system that wrote {contents.recording_format} files",
    )
    channels = [c for c in contents.described_channels if c.kind.is_brain]
    if not channels:
        return {}
    nwbfile.add_electrode_column("channel_name", "As the acquisition calls it")
    nwbfile.add_electrode_column("kind", "lfp or eeg")
    placed = any(c.x_mm is not None for c in channels)
    groups: dict[str, Any] = {}
    rows: dict[str, int] = {}
    for channel in channels:
        region = channel.region
        if region not in groups:
            groups[region] = nwbfile.create_electrode_group(
                name=_unique(_object_name(region), {g.name for g in groups.values()}),
                description=f"Channels in {region}",
                location=region,
                device=device,
            )
        where: dict[str, float] = {}
        if placed:
            for axis in "xyz":
                millimetres = getattr(channel, f"{axis}_mm")
                where[axis] = np.nan if millimetres is None else millimetres * 1000.0
        rows[channel.name] = len(rows)
        nwbfile.add_electrode(
            location=region,
            group=groups[region],
            reference=channel.reference,
            filtering=_hardware_filters(channel),
            channel_name=channel.name,
            kind=channel.kind.value,
            **where,
        )
    return rows


def _add_channels(nwbfile: NWBFile, contents: SessionContents) -> None:
    """All channels, those outside the brain too, with what the electrodes have no place for."""
    channels = contents.described_channels
    columns: tuple[tuple[str, str, list[Any]], ...] = (
        ("channel_name", "As the acquisition calls it", [c.name for c in channels]),
        ("kind", "lfp, eeg, emg or other", [c.kind.value for c in channels]),
        ("series", "The series it is in", [_SERIES_NAMES.get(c.kind, "") for c in channels]),
        ("region", "Brain area or muscle", [c.region for c in channels]),
        ("reference", "Reference electrode", [c.reference for c in channels]),
        ("filtering", "Filters of the hardware", [_hardware_filters(c) for c in channels]),
        ("gain_uv", "Microvolts per stored step", [c.gain_uv for c in channels]),
        ("offset_uv", "Microvolts at a stored 0", [c.offset_uv for c in channels]),
        ("notes", "From the channels file", [c.notes for c in channels]),
    )
    nwbfile.processing["ecephys"].add(
        DynamicTable(
            name="channels",
            description="All channels of the session",
            columns=[VectorData(name=n, description=d, data=v) for n, d, v in columns],
        )
    )


def _hardware_filters(channel: Channel) -> str:
    parts = [
        f"{name} {value:g} Hz"
        for name, value in (("high-pass", channel.highpass_hz), ("low-pass", channel.lowpass_hz))
        if value is not None
    ]
    inverted = ["input inverted (undone by the conversion)"] if channel.polarity < 0 else []
    return ", ".join([*parts, *inverted]) or "unknown"


def _add_samples(
    nwbfile: NWBFile,
    contents: SessionContents,
    electrodes: dict[str, int],
    compression: Compression,
    progress: Progress | None,
) -> ElectricalSeries | None:
    """One series for each kind of channel; returns the one of the brain."""
    lfp = contents.lfp
    assert lfp is not None
    module = nwbfile.processing["ecephys"]
    samples = Samples(lfp)
    if len(lfp.spans) == 1:
        timing: dict[str, Any] = {
            "starting_time": lfp.spans[0].start_s,
            "rate": lfp.spans[0].rate_hz,
        }
    else:
        timing = {"timestamps": compressed(time_pieces(samples), compression)}
    kinds = [k for k in _SERIES_NAMES if any(c.kind is k for c in lfp.channels)]
    n_all = sum(c.kind in kinds for c in lfp.channels)
    brain, done = None, 0
    for kind in kinds:
        rows = [i for i, c in enumerate(lfp.channels) if c.kind is kind]
        chosen = [lfp.channels[i] for i in rows]
        # NWB knows one offset for all channels, and gains of each only for electrodes: where they
        # differ otherwise, volts are worked out here.
        in_uv = len({c.offset_uv for c in chosen}) > 1
        in_uv |= not kind.is_brain and len({c.gain_uv for c in chosen}) > 1
        conversion, each = conversion_of([1.0 if in_uv else c.gain_uv for c in chosen])
        share, before = len(rows) / n_all, done / n_all

        def told(part: float, share: float = share, before: float = before) -> None:
            if progress is not None:
                progress(before + part * share)

        about = {
            "name": _SERIES_NAMES[kind],
            "data": compressed(
                sample_pieces(samples, rows, in_uv=in_uv, progress=told), compression
            ),
            "conversion": conversion,
            "offset": 0.0 if in_uv else chosen[0].offset_uv * 1e-6,
            "description": f"{_TITLES[kind]}; {_made_by(contents, 'convert')}. Channels: "
            + ", ".join(c.name for c in chosen),
            "comments": "Samples of all gap-free stretches one after the other; see the intervals "
            "'recorded' for where one ends"
            if len(lfp.spans) > 1
            else "no gaps",
            **timing,
        }
        if kind.is_brain:
            series: TimeSeries = ElectricalSeries(
                electrodes=nwbfile.create_electrode_table_region(
                    [electrodes[c.name] for c in chosen], "Channels of this series, in its order"
                ),
                channel_conversion=each,
                filtering=f"Decimated without delay to {lfp.rate_hz:g} Hz; hardware filters: see "
                "the electrodes",
                **about,
            )
            brain = brain or series
        else:
            series = TimeSeries(unit="volts", **about)
        if kind is ChannelKind.LFP:
            container = LFP(name="LFP")
            module.add(container)
            container.add_electrical_series(series)
        else:
            module.add(series)
        if "timestamps" in timing:
            timing = {"timestamps": series}
        done += len(rows)
    return brain


def _made_by(contents: SessionContents, step: str) -> str:
    """Which step made it, in one line."""
    made = [m for m in contents.made_by if m.step == step]
    if not made:
        return f"by {step}"
    keys = made[0].key[:12] + (f" and {len(made) - 1} more" if len(made) > 1 else "")
    changed = "" if not made[0].changed else f", {made[0].changed}"
    return f"by step {step} version {made[0].version}{changed} (key {keys})"


def _add_provenance(nwbfile: NWBFile, contents: SessionContents) -> None:
    """A row for each result: step, version, parameters, key, inputs, code, machine."""
    if not contents.made_by:
        return
    made = contents.made_by
    columns: tuple[tuple[str, str, list[Any]], ...] = (
        ("step", "Which analysis", [m.step for m in made]),
        ("step_version", "Its version", [m.version for m in made]),
        ("scope", "Block (with its number), day or session", [m.scope for m in made]),
        ("from_s", "Start of the scope, seconds", [m.interval.start_s for m in made]),
        ("to_s", "End of the scope, seconds", [m.interval.stop_s for m in made]),
        ("key", "Name of the result: the hash of what made it", [m.key for m in made]),
        ("inputs", "Keys of what it was made from", [" ".join(m.inputs) for m in made]),
        ("changed_parameters", "Those that differ from their defaults", [m.changed for m in made]),
        ("parameters", "All parameters in force", [m.params for m in made]),
        ("wakeful_version", "Version of Wakeful", [m.code_version for m in made]),
        ("libraries", "Versions of libraries", [m.libraries for m in made]),
        ("machine", "Where it was computed", [m.machine for m in made]),
        ("made_utc", "When it was computed, UTC", [m.made_utc for m in made]),
    )
    nwbfile.add_analysis(
        DynamicTable(
            name="provenance",
            description="What made each result in this file: enough to make it again",
            columns=[VectorData(name=n, description=d, data=v) for n, d, v in columns],
        )
    )


def _object_name(text: str) -> str:
    """A name that HDF5 and NWB take: no slash, no colon."""
    return text.replace("/", "-").replace(":", "-") or "unnamed"


def _unique(name: str, taken: set[str]) -> str:
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name} {number}", number + 1
    return candidate
