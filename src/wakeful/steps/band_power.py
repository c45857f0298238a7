"""Power in the brain's rhythms, per epoch and region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from wakeful.model.epochs import BandPower, Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wakeful.signal.bands import Band


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's spectrogram; session and block for the figure."""

    spectrogram: Spectrogram
    block: Interval
    session: Session


@dataclass(frozen=True, kw_only=True)
class Params:
    """A species' bands, and edges that are to be others: low included, high excluded."""

    species: Literal["mouse", "rat"] = parameter(
        "mouse",
        unit="",
        source="its bands, where no edges are given; see Spectra and band power",
        choices=("mouse", "rat"),
    )
    delta_hz: tuple[float, float] | None = parameter(
        None, unit="Hz", source="1 to 4: slow waves of NREM in rodents"
    )
    theta_hz: tuple[float, float] | None = parameter(
        None, unit="Hz", source="6 to 9: hippocampus, running and REM (Buzsaki 2002)"
    )
    sigma_hz: tuple[float, float] | None = parameter(
        None, unit="Hz", source="10 to 15: sleep spindles in rodents"
    )
    beta_hz: tuple[float, float] | None = parameter(
        None,
        unit="Hz",
        source="mouse 15 to 30, rat 15 to 25 (Buzsaki & Draguhn 2004, Science 304: 1926)",
    )
    slow_gamma_hz: tuple[float, float] | None = parameter(
        None,
        unit="Hz",
        source="mouse 30 to 60, rat 25 to 50 (Colgin et al. 2009, Nature 462: 353)",
    )
    fast_gamma_hz: tuple[float, float] | None = parameter(
        None,
        unit="Hz",
        source="mouse 60 to 100, rat 65 to 140 (Colgin et al. 2009, Nature 462: 353)",
    )
    ripple_hz: tuple[float, float] | None = parameter(
        None,
        unit="Hz",
        source="mouse 110 to 200, rat 140 to 200, where the spectrogram reaches so far (Buzsaki "
        "2015, Hippocampus 25: 1073)",
    )

    def __post_init__(self) -> None:
        """Check that each is a band."""
        problems = [
            f"{f.name} = {value} is not a low edge of 0 Hz or more and a higher high edge"
            for f in fields(self)
            if f.name != "species"
            and (value := getattr(self, f.name)) is not None
            and not 0 <= value[0] < value[1] < float("inf")
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

    Edges of the default bands are edges of the spectrogram's bins, or cut a bin of the transform as
    it would be cut there: their powers are those of the transform itself. So are those of other
    edges up to 20 Hz; above, an edge inside a wider bin takes the share of its width.

    A band that reaches beyond the spectrogram (80 % of Nyquist, or its highest frequency) is NaN,
    but for ripples, which most slow recordings can't have: they are left out there. NaN, too, is
    one that begins below twice the corner of the hardware's high-pass filters: for delta
    from 1 Hz on that is a corner above 0.5 Hz.
    """
    from wakeful.signal.bands import PROFILES, Band, compute_band_power, reaches
    from wakeful.signal.header_faults import TRUSTED_FROM_CORNERS

    spectrogram = inputs.spectrogram
    bands = tuple(
        Band(band.name, *edges) if (edges := getattr(params, _field(band))) else band
        for band in PROFILES[params.species]
    )
    frequency_hz, edges_hz = spectrogram.frequency_hz, spectrogram.edges_hz
    bands = tuple(
        band
        for band in bands
        if band.name != "ripple" or reaches(frequency_hz, band.high_hz, edges_hz)
    )
    power_uv2 = compute_band_power(spectrogram.power_uv2_per_hz, frequency_hz, bands, edges_hz)
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


def _field(band: Band) -> str:
    return f"{band.name.replace(' ', '_')}_hz"


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Band powers of every region of one local day."""
    from wakeful.figures import draw_band_power

    figure = draw_band_power(inputs.session, outputs.band_power, inputs.block)
    return {"band_power": figure}


STEP = Step(
    title="Band power",
    summary="Power in delta, theta, sigma, beta, gamma and ripples, per epoch and region.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=4,
    masks="none",
    masks_reason="it works on the spectrogram, out of which bad channels were left",
    per="block",
    sources=("Buzsaki & Draguhn 2004, Science 304: 1926", "Colgin et al. 2009, Nature 462: 353"),
)
