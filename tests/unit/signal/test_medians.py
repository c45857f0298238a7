"""Medians over channels."""

from __future__ import annotations

import numpy as np

from wakeful.signal.medians import median_over_channels


def test_median_over_channels_is_numpys() -> None:
    rng = np.random.default_rng(0)
    psd = rng.uniform(0, 1, (5, 3, 7)).astype(np.float32)
    np.testing.assert_allclose(median_over_channels(psd), np.median(psd, axis=0), rtol=1e-6)
    np.testing.assert_allclose(median_over_channels(psd[:4]), np.median(psd[:4], axis=0), rtol=1e-6)
    psd[[0, 3], 1] = np.nan
    np.testing.assert_allclose(median_over_channels(psd), np.nanmedian(psd, axis=0), rtol=1e-6)
    psd[:, 2] = np.nan
    assert np.isnan(median_over_channels(psd)[2]).all()
