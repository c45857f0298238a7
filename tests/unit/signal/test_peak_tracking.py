"""Following a rhythm's peak through time."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.signal.peak_tracking import follow_peak, mean_over_window, number_runs, power_above


def test_runs_end_at_holes_and_at_missing_epochs():
    known = np.array([1, 1, 0, 1, 1, 1, 0], bool)
    anew = np.array([1, 0, 0, 0, 0, 1, 0], bool)
    np.testing.assert_array_equal(number_runs(known, anew), [0, 0, -1, 1, 1, 2, -1])


def test_means_stay_inside_their_run():
    values = np.array([1.0, 3, np.nan, 10, 20, 60])[:, None]
    run = np.array([0, 0, -1, 1, 1, 2])
    mean = mean_over_window(values, run, 2)[:, 0]
    np.testing.assert_array_equal(mean, [2, 2, np.nan, 15, 15, 60])
    same = mean_over_window(values, run, 0)[:, 0]
    np.testing.assert_array_equal(same, values[:, 0])


def test_the_peak_that_lasts_wins_over_one_that_flashes_up():
    n = 21
    hz = np.full((n, 2), np.nan)
    height = np.full((n, 2), np.nan)
    hz[:, 0], height[:, 0] = 7 + 0.02 * np.arange(n), 0.5
    hz[10, 1], height[10, 1] = 11.0, 0.8
    run = np.zeros(n, np.int64)
    np.testing.assert_array_equal(follow_peak(hz, height, run, (5, 12), 3), 0)
    # On its own (a hole on either side) the higher one is taken.
    run[:10], run[10], run[11:] = 0, 1, 2
    assert follow_peak(hz, height, run, (5, 12), 3)[10] == 1


def test_where_there_is_no_peak_there_is_none():
    hz = np.array([[7.0], [np.nan], [13.0], [7.0]])
    height = np.array([[0.5], [np.nan], [0.9], [0.4]])
    run = np.zeros(4, np.int64)
    np.testing.assert_array_equal(follow_peak(hz, height, run, (5, 12), 2), [0, -1, -1, 0])
    assert len(follow_peak(np.empty((3, 0)), np.empty((3, 0)), run[:3], (5, 12), 2)) == 3
    assert (follow_peak(hz, height, np.full(4, -1), (5, 12), 2) == -1).all()


def test_power_above_is_the_difference_of_the_two_models():
    frequency_hz = np.arange(2, 45.01, 0.01)
    level = (2 - 1.5 * np.log10(frequency_hz))[None]
    rise = 0.7 * np.exp(-0.5 * ((frequency_hz - 8) / 0.6) ** 2)
    wanted = np.trapezoid(10 ** (level[0] + rise) - 10 ** level[0], frequency_hz)
    one = [np.array([v]) for v in (8.0, 0.7, 1.2)]
    assert power_above(level, *one, frequency_hz)[0] == pytest.approx(wanted, rel=1e-6)
    coarse = np.arange(2, 45.01, 0.25)
    power = power_above((2 - 1.5 * np.log10(coarse))[None], *one, coarse)
    assert power[0] == pytest.approx(wanted, rel=0.01)
    nothing = np.full(1, np.nan)
    assert np.isnan(power_above(level, nothing, nothing, nothing, frequency_hz)).all()
