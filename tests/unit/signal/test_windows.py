from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from wakeful.signal.windows import design_slepian, design_windowed_sinc, kaiser_beta


@pytest.mark.parametrize("stop_db", [10.0, 21.0, 35.0, 50.0, 60.0, 86.0])
def test_beta_is_scipys(stop_db):
    assert kaiser_beta(stop_db) == signal.kaiser_beta(stop_db)


@given(
    half=st.integers(4, 300),
    edges=st.tuples(st.floats(0.01, 0.45), st.floats(0.01, 0.45)),
    stop_db=st.floats(25.0, 100.0),
)
def test_filters_are_scipys(half, edges, stop_db):
    low, high = sorted(edges)
    window = ("kaiser", signal.kaiser_beta(stop_db))
    lowpass = signal.firwin(2 * half + 1, high, window=window, fs=1.0)
    ours = design_windowed_sinc(2 * half + 1, (0.0, high), 1.0, stop_db)
    np.testing.assert_allclose(ours, lowpass, atol=1e-12)
    if high - low > 0.05:
        bandpass = signal.firwin(2 * half + 1, (low, high), window=window, fs=1.0, pass_zero=False)
        ours = design_windowed_sinc(2 * half + 1, (low, high), 1.0, stop_db)
        np.testing.assert_allclose(ours, bandpass, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("n_samples", [8, 61, 1000, 4000, 4001])
@pytest.mark.parametrize(("half_bandwidth", "n_tapers"), [(2.0, 3), (2.5, 4), (3.5, 1)])
def test_slepian_sequences_are_scipys(n_samples, half_bandwidth, n_tapers):
    theirs = signal.windows.dpss(n_samples, half_bandwidth, n_tapers, norm=2)
    np.testing.assert_array_equal(design_slepian(n_samples, half_bandwidth, n_tapers), theirs)
