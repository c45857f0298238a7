"""Envelopes, bursts and half-waves: exact where they can be, local always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.time import Span
from wakeful.signal.event_filters import Piece, analyse_band, mean_frequency_hz
from wakeful.signal.event_kernels import find_bursts, find_waves
from wakeful.signal.event_search import is_hippocampal, usable_ripple_band, usual


def piece(values, rate_hz=1000.0, first=0):
    values = np.asarray(values, np.float32)
    return Piece(Span(0.0, first + len(values), rate_hz, 0), first, 1, values)


@pytest.mark.parametrize(("hz", "band"), [(12.5, (10.0, 15.0)), (160.0, (100.0, 250.0))])
def test_the_envelope_of_a_sine_is_its_amplitude(hz, band):
    t = np.arange(8000) / 1000
    burst = analyse_band(
        piece(70 * np.cos(2 * np.pi * hz * t + 0.3)),
        band,
        transition_hz=0.2 * band[0],
        smooth_s=0.01,
        nominal_hz=1000.0,
    )
    np.testing.assert_allclose(burst.envelope.values, 70, rtol=0.005)
    assert mean_frequency_hz(burst.analytic, 1000.0) == pytest.approx(hz, abs=0.05)
    # And of one outside the band next to nothing.
    outside = analyse_band(
        piece(70 * np.cos(2 * np.pi * band[0] / 2 * t)),
        band,
        transition_hz=0.2 * band[0],
        smooth_s=0.01,
        nominal_hz=1000.0,
    )
    assert outside.envelope.values.max() < 0.5


def hann(n, height):
    return height * np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2


def test_bursts_reach_to_a_share_of_their_peak_and_whole_ones_are_found():
    x = np.full(2000, 0.1, np.float32)
    x[300:400] += hann(100, 5.0).astype(np.float32)
    x[700:800] += hann(100, 2.0).astype(np.float32)
    x[1200:1900] += hann(700, 5.0).astype(np.float32)
    x[-40:] += hann(80, 5.0).astype(np.float32)[:40]
    floor = np.full(2000, 3.0, np.float32)
    found = find_bursts(x, floor, 0.35, 150)
    # One is too low, one too long, one cut off by the end.
    assert len(found) == 1
    peak, first, last = found[0]
    assert abs(peak - 349.5) <= 1
    assert x[first - 1] < 0.35 * x[peak] <= x[first]
    assert x[last + 1] < 0.35 * x[peak] <= x[last]
    unknown = floor.copy()
    unknown[peak] = np.nan
    assert len(find_bursts(x, unknown, 0.35, 150)) == 0
    x[first + 3] = np.nan
    assert len(find_bursts(x, floor, 0.35, 150)) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=3, max_size=200), st.integers(1, 30))
def test_bursts_never_overlap_and_are_ruled_by_their_peak(values, longest):
    x = np.array(values, np.float32)
    found = find_bursts(x, np.full(len(x), 1, np.float32), 0.35, longest)
    last_stop = -1
    for peak, first, last in found:
        assert last_stop < first <= peak <= last
        assert x[first : last + 1].max() == x[peak]
        assert x[first : last + 1].min() >= np.float32(0.35) * x[peak] - 1e-6
        last_stop = last


def test_waves_lie_between_their_crossings():
    t = np.arange(3000) / 100
    x = (-80 * np.sin(2 * np.pi * 1.3 * t)).astype(np.float32)
    found = find_waves(x, np.full(3000, 100, np.float32), 200)
    assert len(found) == pytest.approx(30 * 1.3, abs=2)
    np.testing.assert_allclose(found[:, 2] - found[:, 0], 100 / 1.3, atol=0.1)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], 50 / 1.3, atol=0.1)
    np.testing.assert_allclose(found[:, 4], -80, rtol=0.01)
    np.testing.assert_allclose(found[:, 5], 80, rtol=0.01)
    assert len(find_waves(x, np.full(3000, 200, np.float32), 200)) == 0
    assert len(find_waves(x, np.full(3000, 100, np.float32), 50)) == 0
    x[1500] = np.nan
    broken = find_waves(x, np.full(3000, 100, np.float32), 200)
    assert len(found) - 2 <= len(broken) < len(found)
    assert not ((broken[:, 0] < 1500) & (broken[:, 2] > 1500)).any()


def test_what_is_usual_is_the_median_of_the_minute():
    values = np.r_[np.full(6000, 1.0), np.full(6000, 3.0), np.full(300, 9.0)]
    got = usual(piece(values, rate_hz=100.0))
    assert (got[:6000] == 1).all()
    assert (got[6000:12_000] == 3).all()
    assert np.isnan(got[12_000:]).all()  # three seconds say little


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("CA1", True),
        ("ca3b", True),
        ("left CA1", True),
        ("dHPC", True),
        ("Hippocampus", True),
        ("HIP", True),
        ("DG", True),
        ("dorsal hippocampus", True),
        ("PFC", False),
        ("cortex", False),
        ("unknown", False),
        ("thalamus", False),
        ("Caudate", False),
        ("hypothalamus", False),
        ("ship", False),
    ],
)
def test_hippocampal_regions_are_known_by_their_names(name, is_it):
    assert is_hippocampal(name) is is_it


def test_a_rate_that_shows_less_than_half_of_the_band_shows_no_ripples():
    assert usable_ripple_band((100.0, 250.0), 1000.0) == (100.0, 250.0)
    assert usable_ripple_band((100.0, 250.0), 500.0) == (100.0, 200.0)
    assert usable_ripple_band((100.0, 250.0), 400.0) is None
