"""Medians of a few numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wakeful.signal.medians import median_of

_values = arrays(
    np.float32,
    st.integers(0, 12),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(np.float32(np.nan)),
)


@settings(deadline=None)  # the first call compiles
@given(_values)
def test_it_is_numpys_of_what_is_a_number(values: np.ndarray) -> None:
    found = median_of(values, np.empty(len(values), np.float32))
    known = values[~np.isnan(values)]
    if len(known):
        np.testing.assert_allclose(found, np.median(known), rtol=1e-6, atol=1e-6)
    else:
        assert np.isnan(found)
