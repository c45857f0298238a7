"""Band power and muscle tone of a simulated mouse, through the real steps, against the planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import wakeful
from wakeful.model.epochs import State
from wakeful.simulate import THREE_REGIONS, RecordingPlan, SubjectPlan, simulate_subject

BANDS = ((1.0, 4.0), (6.0, 9.0), (10.0, 15.0), (15.0, 30.0), (30.0, 45.0), (65.0, 90.0))


ONE_EACH = tuple(replace(region, n_channels=1) for region in THREE_REGIONS)
"""A region's power is the median of its channels, and a median of channels with unequal gains is no
power that was planted: one channel each."""


@pytest.fixture(scope="module")
def long_mouse():
    """Half a day: REM is rare, and the mean of few epochs scatters by more than what is asked."""
    subject = SubjectPlan(seed=41, mains_uv=0.0, regions=ONE_EACH)
    return simulate_subject(RecordingPlan(subject=subject, duration_s=12 * 3600.0))


@pytest.fixture(scope="module")
def power(long_mouse):
    source = wakeful.make_source(long_mouse.samples_uv, 1000.0, long_mouse.channels)
    names = ("delta", "theta", "sigma", "beta", "slow_gamma", "fast_gamma")
    edges = {f"{name}_hz": band for name, band in zip(names, BANDS, strict=True)}
    spectrogram = wakeful.compute_spectrogram(wakeful.compute_lfp(source)[0])
    return wakeful.compute_band_power(spectrogram, params=edges)


@pytest.mark.parametrize("state", [State.AWAKE, State.NREM, State.REM])
def test_band_power_is_within_five_per_cent_of_the_planted(long_mouse, power, state):
    chosen = long_mouse.truth.is_clean & (long_mouse.truth.state == state)
    assert chosen.sum() > 500
    planted = long_mouse.truth.band_power_uv2(BANDS)[chosen].mean(axis=0)
    measured = power.power_uv2[chosen, :, : len(BANDS)].mean(axis=0)
    assert power.regions == tuple(c.region for c in long_mouse.channels[:3])
    np.testing.assert_allclose(measured / planted[:3], 1.0, atol=0.05)


def test_muscle_tone_follows_the_planted():
    mouse = simulate_subject(
        RecordingPlan(subject=SubjectPlan(seed=42), duration_s=3600.0), rate_hz=2000
    )
    lfp = wakeful.compute_lfp(wakeful.make_source(mouse.samples_uv, 2000.0, mouse.channels))
    tone = wakeful.compute_muscle_tone(*lfp)
    clean = mouse.truth.is_clean
    planted = mouse.truth.lfp_emg()
    found = np.isfinite(tone.lfp_emg) & clean & np.isfinite(planted)
    assert found.sum() > 0.9 * clean.sum()
    assert np.corrcoef(tone.lfp_emg[found], planted[found])[0, 1] > 0.98
    state = mouse.truth.state
    medians = [np.median(tone.emg_uv[clean & (state == s)]) for s in (State.AWAKE, State.NREM)]
    assert medians[0] > 2 * medians[1]
