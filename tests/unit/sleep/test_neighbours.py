"""Neighbours in time, against a plain loop; holes are never looked across."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.sleep.feature_list import half_window, list_columns
from wakeful.sleep.neighbours import fill_neighbours, find_stretches

COLUMNS = list_columns(("CA1",))


def _filled(x, start_s, known):
    values = np.full((len(x), len(COLUMNS)), np.nan, np.float32)
    place = [c.name for c in COLUMNS].index("CA1.log_power_delta")
    values[:, place] = x
    fill_neighbours(values, COLUMNS, find_stretches(start_s, known, 4.0), 4.0)
    return {
        c.neighbour.name: values[:, i]
        for i, c in enumerate(COLUMNS)
        if c.of == place and c.neighbour is not None
    }


def _expected(x, stretch, neighbour):
    out = np.full(len(x), np.nan, np.float32)
    half = half_window(neighbour.window_s, 4.0)
    for i in range(len(x)):
        if stretch[i] < 0:
            continue
        if neighbour.kind == "lag":
            j = i + neighbour.lag
            if 0 <= j < len(x) and stretch[j] == stretch[i]:
                out[i] = x[j]
        elif np.isfinite(x[i]):
            near = [j for j in range(len(x)) if abs(i - j) <= half and stretch[j] == stretch[i]]
            inside = x[near][np.isfinite(x[near])].astype(float)
            out[i] = inside.mean() if neighbour.kind == "mean" else np.median(inside)
    return out


def test_every_neighbour_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, 300).astype(np.float32)
    x[rng.random(300) < 0.1] = np.nan
    start_s = np.arange(300) * 4.0
    start_s[120:] += 8.0  # rows are missing
    known = np.ones(300, np.bool_)
    known[[30, 31, 200]] = False  # a gap, an artefact
    x[~known] = np.nan
    stretch = find_stretches(start_s, known, 4.0)
    for column in COLUMNS:
        if column.neighbour is not None and column.name.startswith("CA1.log_power_delta"):
            found = _filled(x, start_s, known)[column.neighbour.name]
            np.testing.assert_allclose(found, _expected(x, stretch, column.neighbour), rtol=1e-6)


def test_stretches_end_at_holes():
    known = np.array([1, 1, 0, 1, 1, 1], np.bool_)
    start_s = np.array([0.0, 4.0, 8.0, 12.0, 16.0, 24.0])
    stretch = find_stretches(start_s, known, 4.0)
    assert stretch[0] == stretch[1] >= 0
    assert stretch[2] == -1
    assert stretch[3] == stretch[4]
    assert len({*stretch.tolist()}) == 4
    assert find_stretches(np.empty(0), np.empty(0, np.bool_), 4.0).shape == (0,)


@pytest.mark.parametrize("name", ["mean_12s", "mean_60s", "median_300s", "before_1", "after_2"])
def test_what_lies_behind_a_hole_is_never_seen(name):
    x = np.r_[np.zeros(50), np.full(50, 1000.0)].astype(np.float32)
    known = np.ones(100, np.bool_)
    known[50] = False
    x[50] = np.nan
    found = _filled(x, np.arange(100) * 4.0, known)[name]
    assert set(found[np.isfinite(found)].tolist()) == {0.0, 1000.0}
    assert np.isnan(found[50])
    assert (found[:50][np.isfinite(found[:50])] == 0).all()
