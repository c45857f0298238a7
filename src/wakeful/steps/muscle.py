"""Muscle tone per epoch, from EMG channels and from the LFP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp, iterate_epochs
from wakeful.model.epochs import LfpEmg, MuscleTone
from wakeful.model.errors import BadParameters
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.subject import ChannelKind, Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's samples, its LFP-derived EMG, and which channels are bad when."""

    lfp: Lfp
    lfp_emg: LfpEmg
    block: Interval
    session: Session
    channel_quality: ChannelQuality | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """The EMG's band."""

    emg_low_hz: float = parameter(
        30.0, unit="Hz", source="above movement artefacts and volume-conducted slow waves"
    )
    emg_high_hz: float = parameter(
        300.0, unit="Hz", source="most of a surface EMG; less where 80 % of Nyquist is lower"
    )
    mains_margin_hz: float = parameter(
        2.0, unit="Hz", source="left out to either side of the mains frequency and its multiples"
    )
    use_masks: bool = parameter(
        True, unit="", source="tone is to be that of channels that measure muscle"
    )

    def __post_init__(self) -> None:
        """Check ranges."""
        values = (self.emg_low_hz, self.emg_high_hz, self.mains_margin_hz)
        if not all(map(math.isfinite, values)) or not (
            0 <= self.emg_low_hz < self.emg_high_hz and 0 <= self.mains_margin_hz <= 10
        ):
            raise BadParameters(
                f"emg_low_hz, emg_high_hz, mains_margin_hz = {values} are not a band and a margin "
                "of 0 to 10 Hz",
                where="muscle",
                remedy="correct the values",
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row for each epoch that starts in the block."""

    muscle: MuscleTone


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Root mean square of the EMG and mean LFP-derived EMG, per epoch.

    Of several EMG channels the median is taken; a channel without variance in an epoch, or with a
    sample that is not a number, or that is bad then, is left out of it. An epoch that touches a gap
    is NaN. Mains hum is no reason to leave an EMG out: its band does without.

    The LFP-derived EMG was read before anything was known of its channels, and can't be taken apart
    again: it is NaN where fewer than two of the channels compared are good, and kept elsewhere.
    """
    from wakeful.signal.muscle import compute_emg_rms, emg_band
    from wakeful.signal.spectra import compute_psd, design_hann, epoch_starts, read_epochs

    lfp, epoch_s = inputs.lfp, inputs.session.epoch_s
    rows = tuple(i for i, c in enumerate(lfp.channels) if c.kind is ChannelKind.EMG)
    band_hz = emg_band(lfp.rate_hz, params.emg_low_hz, params.emg_high_hz)
    if band_hz is None:
        rows = ()
    start_s = epoch_starts(inputs.block, epoch_s)
    emg_uv = np.full(len(start_s), np.nan, np.float32)
    quality = inputs.channel_quality if params.use_masks else None
    bad = np.zeros((len(start_s), len(rows)), np.bool_)
    if quality is not None:
        names = [lfp.channels[i].name for i in rows]
        bad = quality.is_bad(names, start_s, epoch_s, frozenset({FaultKind.MAINS}))
    if rows and band_hz is not None:
        for batch in read_epochs(lfp, rows, inputs.block, epoch_s):
            epochs = batch.samples_uv
            psd = compute_psd(
                epochs, batch.rate_hz, design_hann(epochs.shape[-1]), n_fft=batch.n_fft
            )
            frequency_hz = np.arange(psd.shape[-1]) / epoch_s
            rms = compute_emg_rms(
                psd, frequency_hz, band_hz, inputs.session.mains_hz, params.mains_margin_hz
            )
            rms[~(epochs.max(axis=-1) - epochs.min(axis=-1) > 0)] = np.nan
            rms[bad[batch.numbers].T] = np.nan
            for number, values in zip(batch.numbers, rms.T, strict=True):
                live = values[~np.isnan(values)]
                if len(live):
                    emg_uv[number] = np.median(live)
    lfp_emg = _mean_per_epoch(inputs.lfp_emg, start_s, epoch_s, lfp)
    if quality is not None and inputs.lfp_emg.channels:
        compared = quality.is_bad(inputs.lfp_emg.channels, start_s, epoch_s)
        lfp_emg[(~compared).sum(axis=1) < 2] = np.nan
    # Where the rate leaves nothing of the band, a band without width says so.
    band_hz = band_hz or (params.emg_low_hz, params.emg_low_hz)
    return Outputs(
        muscle=MuscleTone(
            start_s=start_s,
            emg_uv=emg_uv,
            lfp_emg=lfp_emg,
            emg_channels=tuple(lfp.channels[i].name for i in rows),
            emg_band_hz=band_hz,
            epoch_s=epoch_s,
            lfp_emg_unavailable=inputs.lfp_emg.unavailable,
        )
    )


def _mean_per_epoch(
    lfp_emg: LfpEmg, start_s: NDArray[np.float64], epoch_s: float, lfp: Lfp
) -> NDArray[np.float32]:
    """Mean of the bins that lie in each epoch; NaN where the epoch touches a gap."""
    mean = np.full(len(start_s), np.nan, np.float32)
    if len(start_s) == 0:
        return mean
    slack = 1e-6
    first = np.searchsorted(lfp_emg.start_s, start_s - slack)
    stop = np.searchsorted(lfp_emg.start_s, start_s + epoch_s - lfp_emg.bin_s + slack)
    whole = Interval(float(start_s[0]), float(start_s[-1]) + epoch_s / 2)
    for number, _, span, _ in iterate_epochs(lfp.spans, whole, epoch_s):
        bins = lfp_emg.correlation[first[number] : stop[number]]
        bins = bins[~np.isnan(bins)]
        if span is not None and len(bins):
            mean[number] = np.mean(bins)
    return mean


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """EMG and LFP-derived EMG of one local day."""
    from wakeful.figures import draw_muscle

    figure = draw_muscle(inputs.session, outputs.muscle, inputs.block)
    return {"muscle": figure}


STEP = Step(
    title="Muscle tone",
    summary="Root mean square of the EMG and correlation of fast activity between brain channels, "
    "per epoch.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=2,
    masks="takes",
    masks_reason="bad EMG channels are left out, what the LFP-derived EMG compared can't be",
    per="block",
    sources=(
        "Schomburg et al. 2014, Neuron 84: 470 (muscle tone from the LFP)",
        "Watson et al. 2016, Neuron 90: 839",
    ),
)
