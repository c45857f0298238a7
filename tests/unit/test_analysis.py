"""`import wakeful` on plain arrays."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import wakeful
from wakeful.model.errors import BadParameters, NoLibrary


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """A minute of two channels: noise, and on the first a theta rhythm of 100 uV amplitude."""
    rng = np.random.default_rng(0)
    time_s = np.arange(120_000) / 2000.0
    noise = rng.normal(0, 5, (2, 120_000))
    noise[0] += 100 * np.sin(2 * np.pi * 7.3 * time_s)
    return noise.astype(np.float32)


def test_from_samples_to_band_power(samples):
    channels = [wakeful.Channel(name="a", region="CA1"), wakeful.Channel(name="b", region="PFC")]
    lfp, lfp_emg = wakeful.compute_lfp(wakeful.make_source(samples, 2000.0, channels))
    assert lfp.rate_hz == 1000.0
    power = wakeful.compute_band_power(wakeful.compute_spectrogram(lfp))
    assert power.regions == ("CA1", "PFC")
    theta = power.power_uv2[:, 0, power.bands.index("theta")]
    np.testing.assert_allclose(theta, 100**2 / 2, rtol=0.03)
    muscle = wakeful.compute_muscle_tone(lfp, lfp_emg)
    assert np.isnan(muscle.emg_uv).all()
    assert muscle.n_rows == power.n_rows == 15
    hypnogram = wakeful.score_sleep(power, muscle)
    assert hypnogram.n_rows == 15


def test_rhythms_from_plain_arrays(samples):
    channels = [wakeful.Channel(name="a", region="CA1"), wakeful.Channel(name="b", region="PFC")]
    lfp, _ = wakeful.compute_lfp(wakeful.make_source(samples, 2000.0, channels))
    fit = wakeful.compute_aperiodic(wakeful.compute_spectrogram(lfp))
    assert fit.n_rows == 15
    np.testing.assert_allclose(fit.theta_hz[:, 0], 7.3, atol=0.1)
    np.testing.assert_allclose(np.nanmedian(fit.exponent[:, 1]), 0, atol=0.1)  # white noise
    together = wakeful.compute_connectivity(lfp)
    assert together.pairs == (("CA1", "PFC"),)
    assert together.n_epochs[0, 0] == 15
    assert "volume conduction" in together.notes[0]


def test_parameters_are_those_of_the_step(samples):
    lfp, _ = wakeful.compute_lfp(wakeful.make_source(samples, 2000.0))
    spectrogram = wakeful.compute_spectrogram(lfp, params={"highest_hz": 50.0})
    assert spectrogram.edges_hz[-1] == 50.0
    with pytest.raises(BadParameters, match="colour"):
        wakeful.compute_spectrogram(lfp, params={"colour": 1})


def test_arrays_that_do_not_fit_are_refused(samples):
    with pytest.raises(BadParameters, match="n_channels, n_samples"):
        wakeful.make_source(samples[0], 1000.0)
    with pytest.raises(BadParameters, match="rate_hz"):
        wakeful.make_source(samples, 0.0)


def test_every_public_name_is_there():
    for name in wakeful.__all__:
        assert getattr(wakeful, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = wakeful.nothing
    assert "open_library" in dir(wakeful)


def test_importing_wakeful_loads_nothing_heavy():
    code = "import sys, wakeful; print([m for m in ('numpy', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_library_is_said(tmp_path):
    with pytest.raises(NoLibrary, match="wakeful init"):
        wakeful.open_library(tmp_path)


def test_bad_channels_are_found_and_left_out_on_plain_arrays():
    from wakeful.simulate import FaultType, PlantedFault

    plan = wakeful.RecordingPlan(
        duration_s=120.0,
        faults=(PlantedFault(channel="CSC4", kind=FaultType.LOOSE),),
    )
    mouse = wakeful.simulate_subject(plan)
    quality = wakeful.compute_channel_quality(mouse.lfp)
    (fault,) = wakeful.join_faults(quality)
    assert (fault.channel, fault.kind) == ("CSC4", wakeful.FaultKind.DISCONNECTED)
    plain = wakeful.compute_spectrogram(mouse.lfp)
    masked = wakeful.compute_spectrogram(mouse.lfp, quality=quality)
    place = plain.regions.index("PFC")
    assert (masked.power_uv2_per_hz[:, place] != plain.power_uv2_per_hz[:, place]).any()
    assert (masked.power_uv2_per_hz[:, 0] == plain.power_uv2_per_hz[:, 0]).all()
    overruled = wakeful.compute_channel_quality(
        mouse.lfp,
        marks=[
            wakeful.Mark(
                channels=("CSC4",),
                start_s=0.0,
                stop_s=120.0,
                verdict=wakeful.Verdict.GOOD,
                reason="a quiet site",
                author="ann",
            )
        ],
    )
    again = wakeful.compute_spectrogram(mouse.lfp, quality=overruled)
    assert (again.power_uv2_per_hz == plain.power_uv2_per_hz).all()
