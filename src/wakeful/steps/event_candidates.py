"""What might be a slow wave, a spindle or a ripple, one channel a region; the hypnogram decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp, iterate_epochs
from wakeful.model.errors import BadParameters
from wakeful.model.quality import ChannelQuality
from wakeful.model.sleep_events import KINDS, EventBaseline, EventCandidates, EventKind
from wakeful.model.subject import Channel, ChannelKind, Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from wakeful.signal.event_search import SearchBands, Searched

HALO_S = 80.0
_MOST_CHANNELS = 4
"""Channels of a region that are fallen back on, one after the other."""
_SPINDLE_HZ = {"mouse": (10.0, 15.0), "rat": (9.0, 16.0)}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's LFP with its halo, and which of its channels are bad when."""

    lfp: Lfp
    block: Interval
    session: Session
    channel_quality: ChannelQuality | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """Bands, and which channels stand for a region."""

    species: Literal["mouse", "rat"] = parameter(
        "mouse",
        unit="",
        source="spindles: 10-15 Hz in mice (Kim et al. 2015, Sleep 38: 85), 9-16 Hz in rats",
        choices=("mouse", "rat"),
    )
    slow_hz: tuple[float, float] = parameter(
        (0.5, 4.0), unit="Hz", source="slow oscillation and delta (Steriade et al. 1993)"
    )
    ripple_hz: tuple[float, float] = parameter(
        (100.0, 250.0), unit="Hz", source="Buzsaki 2015, Hippocampus 25: 1073"
    )
    prefer: tuple[str, ...] = parameter(
        (),
        unit="",
        source="names of channels to take first, such as the one in the pyramidal layer; the "
        "others follow in their order",
    )
    hippocampus: tuple[str, ...] = parameter(
        (), unit="", source="names of regions with ripples; where empty, names such as CA1 tell"
    )
    use_masks: bool = parameter(True, unit="", source="a broken channel shows events of its own")

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {band} is no band above 0 Hz"
            for name, band in (("slow_hz", self.slow_hz), ("ripple_hz", self.ripple_hz))
            if not 0 < band[0] < band[1] < math.inf
        ]
        if not problems and not (self.slow_hz[0] >= 0.25 and self.slow_hz[1] <= 10):
            problems.append(f"slow_hz = {self.slow_hz} does not lie in 0.25 to 10 Hz")
        if not problems and self.ripple_hz[0] < 50:
            problems.append(f"ripple_hz = {self.ripple_hz} begins below 50 Hz")
        if problems:
            raise BadParameters(
                " | ".join(problems),
                where="parameters of event_candidates",
                remedy="correct the values",
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Candidates that start in the block, and one row for each epoch that does."""

    event_candidates: EventCandidates
    event_baseline: EventBaseline


@dataclass(frozen=True, eq=False)
class _Place:
    """A region and the channels that can stand for it."""

    region: str
    rows: tuple[int, ...]
    bands: SearchBands


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Look for events on one good channel of each region, and measure how strong the bands are.

    Of a region's channels (those of `prefer` first) the first is taken that is good throughout a
    minute counted from the session's start; another minute may have another one, and each row says
    which. An event belongs to the block it starts in, and is there only if its channel is the
    region's from its start to its end.
    """
    from wakeful.signal.event_search import CELL_S, search_channel, usable_ripple_band
    from wakeful.signal.streaming import available_processors

    lfp, block, epoch_s = inputs.lfp, inputs.block, inputs.session.epoch_s
    ripple_hz = usable_ripple_band(params.ripple_hz, lfp.rate_hz)
    places, controls = _choose_places(lfp.channels, params, ripple_hz)
    notes = _notes(lfp, params, places, controls, ripple_hz)
    wide = block.widen(HALO_S, HALO_S)
    first_cell = math.floor(wide.start_s / CELL_S)
    last_cell = math.ceil(wide.stop_s / CELL_S)
    cells_s = np.arange(first_cell, last_cell, dtype=np.float64) * np.float64(CELL_S)
    beside = _choose(inputs, controls, cells_s, CELL_S, params.use_masks)
    chosen = []
    for place in places:
        rows = _choose(inputs, place.rows, cells_s, CELL_S, params.use_masks)
        has_control = place.bands.ripple_hz is not None
        chosen.append(np.stack([rows, beside if has_control else np.full_like(rows, -1)], axis=1))
    jobs = sorted(
        {
            (number, *pair)
            for number, pairs in enumerate(chosen)
            for pair in pairs.tolist()
            if pair[0] >= 0
        }
    )

    def search(job: tuple[int, int, int]) -> Searched:
        place, row, control = job
        controls_of = (control,) if control >= 0 else ()
        return search_channel(lfp, row, wide, places[place].bands, controls_of)

    with ThreadPoolExecutor(available_processors()) as pool:
        searched = dict(zip(jobs, pool.map(search, jobs), strict=True))
    names = tuple(c.name for c in lfp.channels)
    regions = tuple(place.region for place in places)
    slow_hz, spindle_hz = params.slow_hz, _SPINDLE_HZ[params.species]
    candidates = EventCandidates(
        **_rows(searched, chosen, first_cell, CELL_S, block),
        regions=regions,
        channels=names,
        bands_hz=(slow_hz, spindle_hz, ripple_hz or (0.0, 0.0)),
        notes=notes,
    )
    baseline = _baseline(lfp, block, epoch_s, searched, chosen, first_cell, CELL_S, regions, names)
    return Outputs(event_candidates=candidates, event_baseline=baseline)


def _choose_places(
    channels: tuple[Channel, ...], params: Params, ripple_hz: tuple[float, float] | None
) -> tuple[list[_Place], tuple[int, ...]]:
    """Regions with their channels; and channels that show muscle but no ripples."""
    from wakeful.signal.event_search import SearchBands, is_hippocampal, order_channels

    members: dict[str, list[int]] = {}
    for row, channel in enumerate(channels):
        if channel.kind.is_brain:
            members.setdefault(channel.region, []).append(row)
    strange = [name for name in params.prefer if name not in {c.name for c in channels}]
    strange += [name for name in params.hippocampus if name not in members]
    if strange:
        raise BadParameters(
            f"there is no channel or region {', '.join(strange)}",
            where="parameters of event_candidates",
            remedy="correct prefer or hippocampus",
        )
    places, outside = [], []
    for region, rows in members.items():
        rippling = region in params.hippocampus if params.hippocampus else is_hippocampal(region)
        if not rippling:
            outside += rows
        bands = SearchBands(
            slow_hz=params.slow_hz,
            spindle_hz=_SPINDLE_HZ[params.species],
            ripple_hz=ripple_hz if rippling else None,
        )
        ordered = order_channels(channels, rows, params.prefer)[:_MOST_CHANNELS]
        places.append(_Place(region, ordered, bands))
    muscle = [row for row, channel in enumerate(channels) if channel.kind is ChannelKind.EMG]
    return places, tuple([*outside, *muscle][:_MOST_CHANNELS])


def _notes(
    lfp: Lfp,
    params: Params,
    places: Sequence[_Place],
    controls: tuple[int, ...],
    ripple_hz: tuple[float, float] | None,
) -> tuple[str, ...]:
    notes = []
    if ripple_hz is None:
        notes.append(
            f"ripples: at {lfp.rate_hz:g} samples a second less than half of "
            f"{params.ripple_hz[0]:g} to {params.ripple_hz[1]:g} Hz can be seen"
        )
    elif not any(place.bands.ripple_hz for place in places):
        notes.append("ripples: no region is known to lie in the hippocampus (see `hippocampus`)")
    else:
        if ripple_hz != params.ripple_hz:
            notes.append(f"ripples: seen up to {ripple_hz[1]:g} Hz at this rate")
        if not controls:
            notes.append("ripples: no channel outside the hippocampus tells muscle apart")
    return tuple(notes)


def _choose(
    inputs: Inputs,
    rows: tuple[int, ...],
    cells_s: NDArray[np.float64],
    cell_s: float,
    use_masks: bool,
) -> NDArray[np.int64]:
    """(n_cells,) the first good channel; -1 where none is."""
    if not rows:
        return np.full(len(cells_s), -1)
    quality = inputs.channel_quality if use_masks else None
    bad = np.zeros((len(cells_s), len(rows)), np.bool_)
    if quality is not None:
        bad = quality.is_bad([inputs.lfp.channels[row].name for row in rows], cells_s, cell_s)
    return np.where(bad.all(axis=1), -1, np.array(rows)[(~bad).argmax(axis=1)])


def _rows(
    searched: dict[tuple[int, int, int], Searched],
    chosen: Sequence[NDArray[np.int64]],
    first_cell: int,
    cell_s: float,
    block: Interval,
) -> dict[str, Any]:
    """The candidates of the block in order of time, column by column."""
    from wakeful.signal.event_search import COLUMNS

    tables, about = [np.empty((0, len(COLUMNS)))], [np.empty((0, 3), np.int64)]
    for (place, row, control), result in searched.items():
        for kind, table in result.tables.items():
            start_s, stop_s = table[:, 0], table[:, 1]
            inside = (start_s >= block.start_s) & (start_s < block.stop_s)
            kept = table[inside]
            cells = [
                np.floor(t / cell_s).astype(np.int64) - first_cell
                for t in (start_s[inside], stop_s[inside])
            ]
            at_start, at_stop = chosen[place][cells[0]], chosen[place][cells[1]]
            mine = (at_start == [row, control]).all(axis=1) & (at_stop[:, 0] == row)
            kept = kept[mine]
            tables.append(kept)
            about.append(np.tile([int(kind), place, row], (len(kept), 1)))
    table, what = np.concatenate(tables), np.concatenate(about)
    order = np.lexsort((what[:, 1], what[:, 0], table[:, 0]))
    table, what = table[order], what[order]
    columns: dict[str, Any] = {
        name: table[:, i].astype(np.float64 if i < 3 else np.float32)
        for i, name in enumerate(COLUMNS)
    }
    columns["kind"] = what[:, 0].astype(np.int8)
    columns["region"] = what[:, 1].astype(np.int16)
    columns["channel"] = what[:, 2].astype(np.int16)
    return columns


def _baseline(
    lfp: Lfp,
    block: Interval,
    epoch_s: float,
    searched: dict[tuple[int, int, int], Searched],
    chosen: Sequence[NDArray[np.int64]],
    first_cell: int,
    cell_s: float,
    regions: tuple[str, ...],
    names: tuple[str, ...],
) -> EventBaseline:
    epochs = list(iterate_epochs(lfp.spans, block, epoch_s))
    shape = (len(epochs), len(regions), len(KINDS))
    level, spread = (np.full(shape, np.nan, np.float32) for _ in range(2))
    used = np.full(shape[:2], -1, np.int16)
    for number, start_s, span, _ in epochs:
        if span is None:
            continue
        cell = math.floor(start_s / cell_s) - first_cell
        for place in range(len(regions)):
            row, control = chosen[place][cell].tolist()
            if row < 0:
                continue
            used[number, place] = row
            for kind in EventKind:
                level[number, place, kind], spread[number, place, kind] = searched[
                    place, row, control
                ].level(kind, span, start_s, start_s + epoch_s)
    return EventBaseline(
        start_s=np.array([start for _, start, _, _ in epochs], np.float64),
        level_uv=level,
        spread_uv=spread,
        channel=used,
        regions=regions,
        channels=names,
        epoch_s=epoch_s,
    )


def unavailable(channels: tuple[Channel, ...]) -> str:
    """A channel in the brain is needed."""
    return "" if any(c.kind.is_brain for c in channels) else "there is no channel in the brain"


STEP = Step(
    title="Candidates of sleep's events",
    summary=(
        "Half-waves and bursts that might be slow waves, spindles or ripples, on one channel of "
        "each region, and how strong their bands are in each epoch."
    ),
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    unavailable=unavailable,
    version=1,
    masks="takes",
    masks_reason="a region is stood for by its first good channel",
    per="block",
    halo_s=HALO_S,
    sources=(
        "Massimini et al. 2004, J. Neurosci. 24: 6862 (slow waves by their zero crossings)",
        "Ferrarelli et al. 2007, Am. J. Psychiatry 164: 483 (spindles by the band's envelope)",
        "Buzsaki 2015, Hippocampus 25: 1073 (sharp-wave ripples)",
    ),
)
