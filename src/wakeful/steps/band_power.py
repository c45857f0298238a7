"""Power in the brain's rhythms, per epoch and region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from wakeful.model.epochs import BandPower, Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's spectrogram; session and block for the figure."""

    spectrogram: Spectrogram
    block: Interval
    session: Session


@dataclass(frozen=True, kw_only=True)
class Params:
    """Edges of the bands, low edge included and high edge excluded."""

    delta_hz: tuple[float, float] = parameter(
        (1.0, 4.0), unit="Hz", source="slow waves of NREM in rodents"
    )
    theta_hz: tuple[float, float] = parameter(
        (6.0, 9.0), unit="Hz", source="mouse hippocampus, running and REM (Buzsaki 2002)"
    )
    sigma_hz: tuple[float, float] = parameter(
        (10.0, 15.0), unit="Hz", source="sleep spindles in rodents"
    )
    beta_hz: tuple[float, float] = parameter(
        (15.0, 30.0), unit="Hz", source="Buzsaki & Draguhn 2004, Science 304: 1926"
    )
    slow_gamma_hz: tuple[float, float] = parameter(
        (30.0, 60.0), unit="Hz", source="Colgin et al. 2009, Nature 462: 353"
    )
    fast_gamma_hz: tuple[float, float] = parameter(
        (60.0, 100.0), unit="Hz", source="Colgin et al. 2009, Nature 462: 353"
    )

    def __post_init__(self) -> None:
        """Check that each is a band."""
        problems = [
            f"{f.name} = {value} is not a low edge of 0 Hz or more and a higher high edge"
            for f in fields(self)
            if not 0 <= (value := getattr(self, f.name))[0] < value[1] < float("inf")
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="band_power", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row per epoch of the spectrogram."""

    band_power: BandPower


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Integrate the density over each band, parts of frequency bins counted exactly.

    A band that reaches beyond the spectrogram (80 % of Nyquist, or its highest frequency) is NaN,
    and so is one that begins below twice the corner of the hardware's high-pass filters: for delta
    from 1 Hz on that is a corner above 0.5 Hz.
    """
    from wakeful.signal.bands import Band, compute_band_power
    from wakeful.signal.header_faults import TRUSTED_FROM_CORNERS

    spectrogram = inputs.spectrogram
    bands = tuple(
        Band(f.name.removesuffix("_hz").replace("_", " "), *getattr(params, f.name))
        for f in fields(params)
    )
    power_uv2 = compute_band_power(spectrogram.power_uv2_per_hz, spectrogram.frequency_hz, bands)
    refused: list[str] = []
    regions = zip(spectrogram.regions, spectrogram.trusted_from_hz, strict=False)
    for i, (region, trusted_hz) in enumerate(regions):
        for k, band in enumerate(bands):
            if band.low_hz < trusted_hz - 1e-9:
                power_uv2[:, i, k] = np.nan
                corner_hz = trusted_hz / TRUSTED_FROM_CORNERS
                refused.append(
                    f"{region}: hardware high-pass of {corner_hz:g} Hz: {band.name} can't be "
                    "trusted"
                )
    return Outputs(
        band_power=BandPower(
            start_s=spectrogram.start_s,
            power_uv2=power_uv2,
            regions=spectrogram.regions,
            bands=tuple(band.name for band in bands),
            edges_hz=tuple((band.low_hz, band.high_hz) for band in bands),
            epoch_s=spectrogram.epoch_s,
            refused=tuple(refused),
        )
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Band powers of every region of one local day."""
    from wakeful.figures import draw_band_power

    figure = draw_band_power(inputs.session, outputs.band_power, inputs.block)
    return {"band_power": figure}


STEP = Step(
    title="Band power",
    summary="Power in delta, theta, sigma, beta and gamma, per epoch and region.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=2,
    masks="none",
    masks_reason="it works on the spectrogram, out of which bad channels were left",
    per="block",
    sources=("Buzsaki & Draguhn 2004, Science 304: 1926", "Colgin et al. 2009, Nature 462: 353"),
)
