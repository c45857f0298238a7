from __future__ import annotations

import numpy as np
import pytest

from wakeful.sleep.modes import find_two_modes


def test_two_modes_are_found_where_they_were_put() -> None:
    rng = np.random.default_rng(1)
    values = np.r_[rng.normal(0, 0.5, 8000), rng.normal(4, 0.8, 2000)]
    modes = find_two_modes(values)
    assert modes is not None
    assert modes.means == pytest.approx((0, 4), abs=0.05)
    assert modes.sds == pytest.approx((0.5, 0.8), abs=0.05)
    assert modes.weights == pytest.approx((0.8, 0.2), abs=0.01)
    assert modes.ashman_d == pytest.approx(np.sqrt(2) * 4 / np.hypot(0.5, 0.8), abs=0.15)
    # Where 0.8 N(0, 0.5) = 0.2 N(4, 0.8): solved by hand from the quadratic.
    assert modes.threshold == pytest.approx(1.76, abs=0.06)
    assert modes.minor_weight == pytest.approx(0.2, abs=0.01)


def test_a_single_gaussian_is_not_two_modes() -> None:
    for seed in range(5):
        modes = find_two_modes(np.random.default_rng(seed).normal(0, 1, 5000))
        assert modes is None or modes.ashman_d < 2


def test_shift_moves_the_threshold_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    values = np.r_[rng.normal(0, 1, 500), rng.normal(5, 1, 500)]
    here, there = find_two_modes(values), find_two_modes(values + 10)
    assert here is not None
    assert there is not None
    assert there.threshold == pytest.approx(here.threshold + 10, abs=1e-6)
    assert there.ashman_d == pytest.approx(here.ashman_d, abs=1e-6)


def test_missing_values_and_order_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    values = np.r_[rng.normal(0, 1, 500), rng.normal(5, 1, 500)]
    mixed = rng.permutation(np.r_[values, np.full(300, np.nan)])
    assert find_two_modes(mixed) == find_two_modes(values)


@pytest.mark.parametrize("values", [np.zeros(100), np.full(100, np.nan), np.arange(10.0)])
def test_too_little_to_tell(values: np.ndarray) -> None:
    assert find_two_modes(values) is None
