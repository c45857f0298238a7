"""The kernels against plain sums in float64, and taps of 16 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import firwin

from wakeful.signal.dot_products import INT16_TAPS
from wakeful.signal.fir import (
    fir_decimate,
    fir_decimate_int16,
    pad_taps,
    round_taps,
    round_to_int16,
)


def _plain(x, factor, taps, n_out):
    x, taps = x.astype(np.float64), taps.astype(np.float64)
    return np.array([taps @ x[k * factor : k * factor + len(taps)] for k in range(n_out)])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 40), st.integers(0, 99))
def test_kernels_give_the_sums_of_products(n_out, n_groups, factor, seed):
    rng = np.random.default_rng(seed)
    n_taps = n_groups * INT16_TAPS
    # Exactly as much as is needed: a kernel that reads further would find nothing there.
    raw = rng.integers(-32768, 32768, (n_out - 1) * factor + n_taps).astype(np.int16)
    taps = rng.integers(-2000, 2001, n_taps).astype(np.int16)
    out = np.full(n_out, np.nan, np.float32)
    fir_decimate_int16(raw, factor, taps, 1 / 2048, out)
    largest = np.abs(taps.astype(float)).sum() * 32768 / 2048
    np.testing.assert_allclose(
        out, _plain(raw, factor, taps, n_out) / 2048, rtol=0, atol=1e-6 * largest
    )
    floats, weights = raw.astype(np.float32), (taps / 2048).astype(np.float32)
    again = np.full(n_out, np.nan, np.float32)
    fir_decimate(floats, factor, weights, again)
    np.testing.assert_allclose(
        again, _plain(floats, factor, weights, n_out), rtol=0, atol=1e-6 * largest
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 30), st.integers(1, 30), st.sampled_from([1, 2, 8, 31]))
def test_an_output_is_the_same_bits_in_any_piece(start, n_out, factor):
    rng = np.random.default_rng(start)
    taps = np.ascontiguousarray(rng.normal(size=48), np.float32)
    whole = np.rint(taps * 900).astype(np.int16)
    raw = rng.integers(-32768, 32768, 64 * factor + 48).astype(np.int16)
    for kernel, x, more in (
        (fir_decimate, raw.astype(np.float32), (taps,)),
        (fir_decimate_int16, raw, (whole, 1 / 900)),
    ):
        all_of_it = np.empty(60, np.float32)
        kernel(x, factor, *more, all_of_it)
        piece = np.empty(n_out, np.float32)
        kernel(x[start * factor :], factor, *more, piece)
        np.testing.assert_array_equal(piece, all_of_it[start : start + n_out])


@pytest.mark.parametrize("n_taps", [31, 59, 81])
def test_rounded_taps_keep_the_response_and_never_overflow(n_taps):
    taps = firwin(n_taps, 0.1, window=("kaiser", 8.6))
    taps /= taps.sum()
    whole = round_taps(taps)
    assert whole is not None
    np.testing.assert_array_equal(whole, whole[::-1])
    deviation = np.fft.rfft(whole / whole.astype(float).sum() - taps, 1 << 16)
    assert np.abs(deviation).max() < 2.1e-5
    padded, _ = pad_taps(whole, INT16_TAPS)
    # The worst input drives each product up; sums that wrapped around would give another result.
    for sign in (1, -1):
        worst = np.where(sign * padded > 0, 32767, -32768).astype(np.int16)
        raw = np.tile(worst, 9)
        out = np.empty(8, np.float32)
        fir_decimate_int16(raw, len(worst), padded.astype(np.int16), 1.0, out)
        np.testing.assert_allclose(out, worst.astype(float) @ padded, rtol=1e-6)


def test_taps_that_can_not_be_rounded_are_not():
    # Thousands of small taps: what rounding adds up to would show in the stop band.
    taps = firwin(3371, 0.45 / 15.5, window=("kaiser", 8.6))
    assert round_taps(taps / taps.sum()) is None


def test_taps_are_padded_about_their_centre():
    taps = np.arange(1.0, 12.0)
    padded, centre = pad_taps(taps)
    assert len(padded) == 16
    assert padded[centre] == taps[5]
    assert padded.sum() == taps.sum()


def test_rounding_is_half_to_even_and_never_the_filler():
    values = np.array([0.5, 1.5, -2.5, 40_000, -40_000, -32_767.6, 7.49], np.float32)
    out = np.empty(7, np.int16)
    round_to_int16(values, out)
    np.testing.assert_array_equal(out, [0, 2, -2, 32767, -32767, -32767, 7])
