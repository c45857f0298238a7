"""Dead and clipped channels, in what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.signal.glance import Glance


def _noise(n_samples: int = 2000, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 800, n_samples).astype(np.int16)


def _look(*stretches: np.ndarray):
    glance = Glance(stretches[0].shape[0], stretches[0].dtype)
    for stretch in stretches:
        glance.add(stretch)
    return glance.finish()


def test_noise_is_neither_flat_nor_clipped() -> None:
    (found,) = _look(_noise()[None], _noise(seed=2)[None])
    assert (found.flat, found.clipped, found.missing) == (0.0, 0.0, 0.0)


def test_a_dead_channel_is_flat_whatever_it_rests_at() -> None:
    rows = np.stack([np.full(500, -3, np.int16), _noise(500)])
    dead, sound = _look(rows, rows)
    assert dead.flat == 1.0
    assert dead.clipped == 0.0
    assert sound.flat == 0.0


def test_a_share_of_flat_stretches() -> None:
    (found,) = _look(*[np.zeros((1, 100), np.int16)] * 3, _noise(100)[None])
    assert found.flat == 0.75


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_held_at_a_rail_is_clipped(sign: int) -> None:
    row = np.clip(_noise(4000).astype(np.int32) * 30, -20_000, 20_000)
    row = (sign * np.maximum(sign * row, -19_000 - np.arange(4000) % 7)).astype(np.int16)
    held = row == sign * 20_000
    runs = np.split(np.flatnonzero(held), np.flatnonzero(np.diff(np.flatnonzero(held)) > 1) + 1)
    planted = sum(len(run) for run in runs if len(run) >= 3)
    assert planted > 50
    (found,) = _look(row[None])
    assert found.clipped == pytest.approx(planted / 4000)


def test_the_highest_of_all_stretches_is_the_rail() -> None:
    """A plateau below what a later stretch reaches is no rail."""
    low = _noise(1000).clip(-900, 900)[None]
    high = _noise(1000, seed=4)[None].copy()
    high[0, 500] = 5000
    high[0, 600] = -5000
    (found,) = _look(low, high)
    assert found.clipped == 0.0
    assert (found.lowest, found.highest) == (-5000, 5000)


def test_a_signal_of_few_steps_is_not_called_clipped() -> None:
    (found,) = _look(np.random.default_rng(0).integers(-3, 4, (1, 4000)).astype(np.int16))
    assert found.clipped == 0.0


def test_missing_samples_are_counted_and_not_taken_for_numbers() -> None:
    row = np.random.default_rng(0).normal(size=1000)
    row[100:350] = np.nan
    gone = np.full(1000, np.nan)
    half, all_of_it = _look(np.stack([row, gone]))
    assert half.missing == 0.25
    assert half.highest == np.nanmax(row)
    assert half.clipped == half.flat == 0.0
    assert all_of_it.missing == 1.0
    assert np.isnan(all_of_it.highest)
