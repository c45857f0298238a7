"""The aperiodic part of each epoch's spectrum, the peaks above it, and theta by its peak."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.rhythms import SpectralFit
from wakeful.model.subject import Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wakeful.signal.aperiodic import FitPlan

HALO_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's spectrogram with its halo; session and block for the figure."""

    spectrogram: Spectrogram
    block: Interval
    session: Session


@dataclass(frozen=True, kw_only=True)
class Params:
    """What is fitted, and what counts as a peak."""

    model: Literal["fixed", "knee"] = parameter(
        "fixed",
        unit="",
        source="a line in log-log space; with a knee for wide ranges (Donoghue et al. 2020)",
        choices=("fixed", "knee"),
    )
    range_hz: tuple[float, float] = parameter(
        (2.0, 40.0),
        unit="Hz",
        source="holds theta, ends below mains hum, and bins of a spectrogram are even up to there",
    )
    max_peaks: int = parameter(
        6, unit="", source="delta, theta, its harmonic, sigma, beta and one to spare"
    )
    min_height: float = parameter(
        0.1, unit="", source="log10 units: a peak has a quarter more power than lies below it"
    )
    threshold_sd: float = parameter(
        2.0, unit="", source="standard deviations of what no peak explains (Donoghue et al. 2020)"
    )
    width_hz: tuple[float, float] = parameter(
        (1.0, 8.0), unit="Hz", source="from the tapers' own width to that of broad beta"
    )
    window_s: float = parameter(
        20.0,
        unit="s",
        source="one epoch of three tapers scatters by 60 %, five by 26 %; REM bouts last longer",
    )
    theta_range_hz: tuple[float, float] = parameter(
        (5.0, 12.0),
        unit="Hz",
        source="theta of mice and rats, from REM to fast running (Buzsaki 2002, Neuron 33: 325)",
    )
    track_s: float = parameter(
        20.0, unit="s", source="of two peaks the one is theta that its neighbours in time have too"
    )

    def __post_init__(self) -> None:
        """Check ranges, all at once."""
        problems: list[str] = []
        try:
            self.plan()
        except BadParameters as error:
            problems.append(error.what)
        low_hz, high_hz = self.theta_range_hz
        if not self.range_hz[0] <= low_hz < high_hz <= self.range_hz[1]:
            problems.append(f"theta_range_hz = {self.theta_range_hz} is not inside range_hz")
        lengths = (self.window_s, self.track_s)
        if not all(math.isfinite(v) and v >= 0 for v in lengths) or sum(lengths) > 2 * HALO_S:
            problems.append(
                f"window_s and track_s = {lengths} are below 0, or together above {2 * HALO_S:g} s"
            )
        if problems:
            raise BadParameters("; ".join(problems), where="aperiodic", remedy="correct the values")

    def plan(self) -> FitPlan:
        """The same as the fit takes it.

        Raises
        ------
        BadParameters
            A value is out of range.
        """
        from wakeful.signal.aperiodic import FitPlan

        return FitPlan(
            low_hz=self.range_hz[0],
            high_hz=self.range_hz[1],
            knee=self.model == "knee",
            max_peaks=self.max_peaks,
            min_height=self.min_height,
            threshold_sd=self.threshold_sd,
            width_hz=self.width_hz,
        )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row per epoch of the block."""

    spectral_fit: SpectralFit


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Fit the mean spectrum of the stretch around each epoch, and tell theta among its peaks.

    The stretch is `window_s` long, centred on the epoch, and ends at a hole (an epoch without
    power, a gap): nothing is averaged or followed across one. A region whose hardware high-pass
    reaches into the range is refused, and so is a range that the spectrogram does not cover.
    """
    from wakeful.signal.aperiodic import aperiodic_level, fit_spectra
    from wakeful.signal.header_faults import TRUSTED_FROM_CORNERS
    from wakeful.signal.peak_tracking import (
        follow_peak,
        mean_over_window,
        number_runs,
        power_above,
    )
    from wakeful.signal.spectrogram_bins import even_density

    spectrogram, plan, epoch_s = inputs.spectrogram, params.plan(), inputs.spectrogram.epoch_s
    frequency_hz, regions = spectrogram.frequency_hz, spectrogram.regions
    low_hz, high_hz = params.range_hz
    n, n_regions = spectrogram.n_rows, len(regions)
    values = np.full((5, n, n_regions), np.nan)
    theta = np.full((3, n, n_regions), np.nan)
    peaks = np.full((3, n, n_regions, params.max_peaks), np.nan)
    refused: list[str] = []
    first, stop = np.searchsorted(frequency_hz, [low_hz - 1e-9, high_hz + 1e-9])
    # One bin beyond the range, so that wider bins are interpolated up to its end.
    used = slice(int(first), min(int(stop) + 1, len(frequency_hz)))
    top_hz = float(spectrogram.edges_hz[-1])
    ends_early = top_hz < high_hz - 1e-9
    if ends_early:
        refused.append(
            f"every region: the spectrogram ends at {top_hz:g} Hz, the range that is "
            f"fitted at {high_hz:g} Hz: give a range_hz inside it"
        )
    trusted_hz = spectrogram.trusted_from_hz or (0.0,) * n_regions
    starts_anew = np.ones(n, np.bool_)
    starts_anew[1:] = ~np.isclose(np.diff(spectrogram.start_s), epoch_s)
    reach, track = (math.floor(v / 2 / epoch_s + 1e-9) for v in (params.window_s, params.track_s))
    for i, region in enumerate(regions):
        if low_hz < trusted_hz[i] - 1e-9:
            corner_hz = trusted_hz[i] / TRUSTED_FROM_CORNERS
            refused.append(
                f"{region}: hardware high-pass of {corner_hz:g} Hz: the spectrum can't be trusted "
                f"from {low_hz:g} Hz on"
            )
            continue
        if n == 0 or ends_early:
            continue
        power = spectrogram.power_uv2_per_hz[:, i, used].astype(np.float64)
        known = np.asarray(np.isfinite(power).all(axis=1))
        run = number_runs(known, starts_anew)
        mean = mean_over_window(power, run, reach)
        mean, used_hz = even_density(mean, frequency_hz[used], high_hz)
        fits = fit_spectra(mean, used_hz, plan)
        fitted = (fits.offset, fits.exponent, fits.knee_hz, fits.error, fits.r_squared)
        values[:, :, i] = fitted
        peaks[:, :, i] = fits.peak_hz, fits.peak_height, fits.peak_width_hz
        chosen = follow_peak(fits.peak_hz, fits.peak_height, run, params.theta_range_hz, track)
        found = np.flatnonzero(chosen >= 0)
        centre, height, width = peaks[:, found, i, chosen[found]]
        level = aperiodic_level(fits, used_hz)[found]
        theta[:, found, i] = (
            centre,
            height,
            power_above(level, centre, height, width, used_hz),
        )
    whole = SpectralFit(
        start_s=spectrogram.start_s,
        **{
            name: _single(column)
            for name, column in (
                ("offset", values[0]),
                ("exponent", values[1]),
                ("knee_hz", values[2]),
                ("error", values[3]),
                ("r_squared", values[4]),
                ("peak_hz", peaks[0]),
                ("peak_height", peaks[1]),
                ("peak_width_hz", peaks[2]),
                ("theta_hz", theta[0]),
                ("theta_height", theta[1]),
                ("theta_power_uv2", theta[2]),
            )
        },
        regions=regions,
        epoch_s=epoch_s,
        window_s=(2 * reach + 1) * epoch_s,
        model=params.model,
        range_hz=params.range_hz,
        theta_range_hz=params.theta_range_hz,
        refused=tuple(refused),
    )
    return Outputs(spectral_fit=whole.cut(inputs.block))


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Exponent and theta of every region of one local day."""
    from wakeful.figures import draw_spectral_fit

    figure = draw_spectral_fit(inputs.session, outputs.spectral_fit, inputs.block)
    return {"aperiodic": figure}


STEP = Step(
    title="Aperiodic part and theta",
    summary="Exponent of the aperiodic part, peaks above it, and theta by its peak, per epoch and "
    "region.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    version=2,
    masks="none",
    masks_reason="it works on the spectrogram, out of which bad channels were left",
    per="block",
    halo_s=HALO_S,
    sources=(
        "Donoghue et al. 2020, Nat. Neurosci. 23: 1655 (the model)",
        "Buzsaki 2002, Neuron 33: 325 (theta)",
    ),
    captions={
        "aperiodic": (
            "Above: exponent of the aperiodic part (running median, 5th to 95th percentile). "
            "Below: frequency of the theta peak, coloured by its height above the aperiodic part; "
            "nothing is drawn where there is no peak."
        )
    },
)
