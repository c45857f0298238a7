"""The spectrogram of each brain region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import Spectrogram
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import ChannelQuality
from wakeful.model.subject import Channel, Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's LFP, and which of its channels are bad when."""

    lfp: Lfp
    block: Interval
    session: Session
    channel_quality: ChannelQuality | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the spectrum of an epoch is estimated."""

    method: Literal["multitaper", "hann"] = parameter(
        "multitaper",
        unit="",
        source="less variance and leakage than one window (Prerau et al. 2017, Physiology 32: 60)",
        choices=("multitaper", "hann"),
    )
    half_bandwidth_hz: float = parameter(
        0.5,
        unit="Hz",
        source="planted band powers come out within 4 % in epochs of 4 s, with 0.75 Hz within 7 %",
    )
    n_tapers: int = parameter(
        3, unit="", source="2 x time x half bandwidth - 1 for 4 s (Thomson 1982)"
    )
    detrend: Literal["none", "mean", "linear"] = parameter(
        "mean",
        unit="",
        source="slow drift stays visible below 1 Hz",
        choices=("none", "mean", "linear"),
    )
    highest_hz: float = parameter(
        250.0, unit="Hz", source="includes ripples; less where 80 % of Nyquist is lower"
    )
    use_masks: bool = parameter(
        True, unit="", source="a region's median is to be that of channels that measure the region"
    )

    def __post_init__(self) -> None:
        """Check ranges."""
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in (
                (
                    "half_bandwidth_hz",
                    self.half_bandwidth_hz,
                    "above 0",
                    self.half_bandwidth_hz > 0,
                ),
                ("n_tapers", self.n_tapers, "1 to 100", 1 <= self.n_tapers <= 100),
                ("highest_hz", self.highest_hz, "1 or more", self.highest_hz >= 1),
            )
            if not holds or not math.isfinite(value)
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="spectrogram", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row for each epoch that starts in the block."""

    spectrogram: Spectrogram


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Power spectral density per epoch and region, the median over the region's channels.

    A channel without variance in an epoch (dead, railed, unplugged), or with a sample that is not
    a number, is left out of that epoch's median, and so is one that is bad then
    (`channel_quality`); where no channel is left the epoch is NaN. Nothing is interpolated.

    Where the hardware cut the low frequencies of some of a region's channels off, the others alone
    give them; where it did so on all, they are as recorded and `trusted_from_hz` says from where on
    they are to be believed.

    The median of channels whose noise is independent lies below their mean power: by up to
    11 % with three tapers and up to 31 % with one window; channels that share their signal do not.

    Raises
    ------
    Unavailable
        There is no brain channel.
    BadParameters
        More tapers than the bandwidth carries in an epoch.
    """
    from wakeful.signal.bands import USABLE
    from wakeful.signal.header_faults import trusted_from_hz
    from wakeful.signal.medians import median_over_channels
    from wakeful.signal.spectra import (
        Windows,
        compute_psd,
        design_hann,
        design_multitaper,
        epoch_starts,
        read_epochs,
    )
    from wakeful.signal.streaming import available_processors

    lfp, epoch_s = inputs.lfp, inputs.session.epoch_s
    regions: dict[str, list[int]] = {}
    for i, channel in enumerate(lfp.channels):
        if channel.kind.is_brain:
            regions.setdefault(channel.region, []).append(i)
    if not regions:
        raise Unavailable(
            "there is no LFP or EEG channel",
            where="spectrogram",
            remedy="give the channels' kinds in a channels file",
        )
    rows = tuple(i for members in regions.values() for i in members)
    # The bins are k / epoch_s: the same in every block, however clocks are fitted. A quarter of a
    # bin is let pass, so that a limit that falls on a bin keeps it.
    highest_hz = min(params.highest_hz, USABLE * lfp.rate_hz / 2)
    n_bins = math.floor(highest_hz * epoch_s + 0.25) + 1
    start_s = epoch_starts(inputs.block, epoch_s)
    frequency_hz = np.arange(n_bins) / epoch_s
    bad = np.zeros((len(start_s), len(rows)), np.bool_)
    if params.use_masks and inputs.channel_quality is not None:
        names = [lfp.channels[i].name for i in rows]
        bad = inputs.channel_quality.is_bad(names, start_s, epoch_s)
    corners_hz = {
        region: np.array([trusted_from_hz(lfp.channels[i]) for i in members])
        for region, members in regions.items()
    }
    cut_off = np.concatenate(
        [
            (frequency_hz < of[:, None] - 1e-9) & (of[:, None] > of.min())
            for of in corners_hz.values()
        ]
    )
    power = np.full((len(start_s), len(regions), n_bins), np.nan, np.float32)

    def design(n_samples: int) -> Windows:
        if params.method == "hann":
            return design_hann(n_samples)
        # The epoch's nominal length: a clock's fitted rate must not make a half bandwidth of
        # 0.5 Hz carry one taper less.
        return design_multitaper(
            n_samples, n_samples / epoch_s, params.half_bandwidth_hz, params.n_tapers
        )

    method = design(max(8, math.floor(epoch_s * lfp.rate_hz + 1e-3))).name
    with ThreadPoolExecutor(available_processors()) as pool:
        for batch in read_epochs(lfp, rows, inputs.block, epoch_s):
            windows = design(batch.samples_uv.shape[-1])

            def estimate(
                samples_uv: NDArray[np.float32],
                windows: Windows = windows,
                rate_hz: float = batch.rate_hz,
                n_fft: int = batch.n_fft,
            ) -> NDArray[np.float32]:
                psd = compute_psd(
                    samples_uv, rate_hz, windows, detrend=params.detrend, n_fft=n_fft
                )[:, :n_bins]
                span_uv = samples_uv.max(axis=-1) - samples_uv.min(axis=-1)
                psd[~(span_uv > 0)] = np.nan
                return psd

            psd = np.stack(list(pool.map(estimate, batch.samples_uv)))
            psd[bad[batch.numbers].T] = np.nan
            np.copyto(psd, np.nan, where=cut_off[:, None])
            first = 0
            for place, members in enumerate(regions.values()):
                part = psd[first : first + len(members)]
                power[batch.numbers, place] = median_over_channels(part)
                first += len(members)

    return Outputs(
        spectrogram=Spectrogram(
            start_s=start_s,
            power_uv2_per_hz=power,
            frequency_hz=frequency_hz,
            regions=tuple(regions),
            channels=tuple(
                tuple(lfp.channels[i].name for i in members) for members in regions.values()
            ),
            epoch_s=epoch_s,
            method=method,
            trusted_from_hz=tuple(float(of.min()) for of in corners_hz.values()),
        )
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Spectrogram of every region of one local day."""
    from wakeful.figures import draw_spectrogram

    figure = draw_spectrogram(inputs.session, outputs.spectrogram, inputs.block)
    return {"spectrogram": figure}


def unavailable(channels: tuple[Channel, ...]) -> str:
    """Rhythms of the brain need a channel in it."""
    return "" if any(c.kind.is_brain for c in channels) else "no channel lies in the brain"


STEP = Step(
    title="Spectrogram per region",
    summary="Power spectral density of every epoch, the median over a region's good channels.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=2,
    draw_version=2,
    masks="takes",
    masks_reason="the median of a region leaves bad channels out",
    per="block",
    sources=(
        "Thomson 1982, Proc. IEEE 70: 1055",
        "Prerau et al. 2017, Physiology 32: 60",
    ),
)
