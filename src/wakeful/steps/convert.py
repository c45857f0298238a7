"""Raw samples to the LFP, and the LFP-derived EMG that only fast samples can give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeful.model.arrays import ArraySink, ArraySource, Lfp
from wakeful.model.epochs import LfpEmg
from wakeful.model.errors import BadChannels, BadParameters
from wakeful.model.subject import ChannelKind
from wakeful.model.time import Interval, Span, cut_spans
from wakeful.step import Step, parameter

_HALO_S = 2.0
_CLOCK_ERROR = 5e-3
"""Readers take a rate that was measured this far from the nominal one for the same rate."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the runner gives."""

    raw: ArraySource
    block: Interval
    lfp_sink: ArraySink


@dataclass(frozen=True, kw_only=True)
class Params:
    """Rates, and how the LFP-derived EMG is read."""

    lfp_rate_hz: float = parameter(
        1000.0,
        unit="Hz",
        source="keeps 400 Hz, above gamma and most of the ripple band; the raw rate is divided "
        "by a whole number, so the LFP's rate is this or somewhat more",
    )
    lfp_emg_bin_s: float = parameter(
        0.5, unit="s", source="Schomburg et al. 2014, Neuron 84: 470; Watson et al. 2016"
    )
    lfp_emg_rate_hz: float = parameter(
        2000.0, unit="Hz", source="the lowest round rate that keeps 300-600 Hz whole"
    )
    lfp_emg_channels_per_region: int = parameter(
        3, unit="", source="distant electrodes see the same muscle; more of a region add little"
    )

    def __post_init__(self) -> None:
        """Check ranges: the step's halo has room for the filters of 100 Hz and bins of 1.5 s."""
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in (
                ("lfp_rate_hz", self.lfp_rate_hz, "100 or more", self.lfp_rate_hz >= 100),
                (
                    "lfp_emg_bin_s",
                    self.lfp_emg_bin_s,
                    "0.05 to 1.5",
                    0.05 <= self.lfp_emg_bin_s <= 1.5,
                ),
                (
                    "lfp_emg_rate_hz",
                    self.lfp_emg_rate_hz,
                    "1,500 or more",
                    self.lfp_emg_rate_hz >= 1500,
                ),
                (
                    "lfp_emg_channels_per_region",
                    self.lfp_emg_channels_per_region,
                    "1 to 16",
                    1 <= self.lfp_emg_channels_per_region <= 16,
                ),
            )
            if not holds or not math.isfinite(value)
        ]
        if problems:
            raise BadParameters("; ".join(problems), where="convert", remedy="correct the values")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The block's LFP, EEG and EMG at the low rate, and the LFP-derived EMG."""

    lfp: Lfp
    lfp_emg: LfpEmg


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Decimate a block and read the LFP-derived EMG in the same pass.

    TTL channels are left out. int16 stays int16 with its gain; wider types become float32.

    Raises
    ------
    BadChannels
        All channels are TTL.
    """
    from wakeful.signal.decimation import choose_factor, decimated_span
    from wakeful.signal.lfp_emg import LfpEmgMeter
    from wakeful.signal.spectra import epoch_starts
    from wakeful.signal.streaming import SideOutput, decimate_source

    raw, block = inputs.raw, inputs.block
    rows = tuple(i for i, c in enumerate(raw.channels) if c.kind is not ChannelKind.TTL)
    if not rows:
        raise BadChannels(
            f"all {len(raw.channels)} channels are TTL, there is nothing to convert",
            where="convert",
            remedy="give the channels' kinds (lfp, eeg, emg) in a channels file",
        )
    # Only what lies here joins the name of the result: no other span may have a say in it.
    wide = block.widen(_HALO_S, _HALO_S)
    near = [span for span in raw.spans if span.cut(wide) is not None]
    rate_hz = _shared_rate(cut_spans(raw.spans, wide) or raw.spans, params)
    # Enough for the slowest clock: all blocks of a recording are divided by one number.
    largest_hz = rate_hz * (1 + _CLOCK_ERROR)
    factor = choose_factor(largest_hz, params.lfp_rate_hz)
    emg_rows, reason = _channels_to_compare(raw, rate_hz, params)
    start_s = epoch_starts(block, params.lfp_emg_bin_s)
    correlation = np.full(len(start_s), np.nan, np.float32)
    side = None
    if emg_rows:
        side_factor = choose_factor(largest_hz, params.lfp_emg_rate_hz)
        meter = LfpEmgMeter(
            [decimated_span(span, side_factor) for span in near],
            block,
            params.lfp_emg_bin_s,
            [raw.channels[i].region for i in emg_rows],
        )
        correlation = meter.correlation
        n_before = raw.spans.index(near[0]) if near else 0
        side = SideOutput(
            side_factor,
            emg_rows,
            meter.needs,
            lambda number, offset, values: meter.receive(number - n_before, offset, values),
        )
    samples = decimate_source(raw, block, factor, inputs.lfp_sink, rows=rows, side=side)
    lfp_emg = LfpEmg(
        start_s=start_s,
        correlation=correlation,
        bin_s=params.lfp_emg_bin_s,
        channels=tuple(raw.channels[i].name for i in emg_rows),
        unavailable=reason,
    )
    # Four digits: what clocks differ by from block to block does not show in a nominal rate.
    return Outputs(lfp=Lfp(samples, float(f"{rate_hz / factor:.4g}")), lfp_emg=lfp_emg)


def _shared_rate(spans: Sequence[Span], params: Params) -> float:
    """The nominal rate that the longest of the spans stands for."""
    if not spans:
        return params.lfp_rate_hz
    return nominal_rate(max(spans, key=lambda span: span.n_samples).rate_hz)


def nominal_rate(rate_hz: float) -> float:
    """The round rate a fitted one stands for; the fitted one where none is near.

    A clock is at most some hundreds of parts in a million off: 31,999.4 Hz is 32,000 Hz.
    """
    digits = 2 - math.floor(math.log10(rate_hz))
    rounded = round(rate_hz, digits)
    return rounded if abs(rounded - rate_hz) <= 5e-4 * rate_hz else rate_hz


def _channels_to_compare(
    raw: ArraySource, rate_hz: float, params: Params
) -> tuple[tuple[int, ...], str]:
    """Rows for the LFP-derived EMG, or none and the reason why."""
    from wakeful.signal.lfp_emg import BAND_HZ, LOWEST_RATE_HZ, choose_channels

    if rate_hz < LOWEST_RATE_HZ:
        return (), f"the raw rate is below {LOWEST_RATE_HZ:g} Hz, so 300-600 Hz was not recorded"
    rows = choose_channels(raw.channels, params.lfp_emg_channels_per_region)
    if len(rows) < 2:
        return (), f"fewer than two brain channels were recorded up to {BAND_HZ[1]:g} Hz"
    return rows, ""


STEP = Step(
    title="LFP",
    summary="Decimates the raw samples without aliasing or delay, and reads muscle tone from the "
    "correlation of 300-600 Hz between channels.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    version=2,
    masks="refuses",
    masks_reason="everything is stored as it was recorded",
    per="block",
    halo_s=_HALO_S,
    sources=(
        "Kaiser 1974, Nonrecursive digital filter design (window and length of the filters)",
        "Crochiere & Rabiner 1975, IEEE Trans. ASSP 23: 444 (cascades of decimators)",
        "Schomburg et al. 2014, Neuron 84: 470 (muscle tone from the LFP)",
        "Watson et al. 2016, Neuron 90: 839",
    ),
)
