"""Phase-amplitude coupling: planted, absent, and too short to tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wakeful.signal.phase_amplitude import N_BINS, _modulation_index, compute_coupling

PHASES = np.array([5.0, 7.0, 9.0, 11.0])
AMPLITUDES = np.array([45.0, 65.0, 85.0, 105.0])


def signal(depth, n_s=60, seed=0, phase_rad=1.0):
    """Theta of 7 Hz that wanders, and a gamma of 85 Hz that swells with it.

    A theta as regular as a clock would be coupled to its own shifted self.
    """
    rng = np.random.default_rng(seed)
    n = n_s * 1000
    phase = 2 * np.pi * np.cumsum(7 + 6 * rng.normal(0, 1, n)) / 1000
    t = np.arange(n) / 1000
    gamma = 20 * (1 + depth * np.cos(phase - phase_rad)) * np.cos(2 * np.pi * 85 * t)
    noise = rng.normal(0, 30, n)
    return (100 * np.cos(phase) + gamma + noise).astype(np.float32)


def couple(stretches, **more):
    given = {"n_surrogates": 60, "least_s": 30.0, "seed": 1} | more
    return compute_coupling(stretches, 1000.0, PHASES, 2.0, AMPLITUDES, 25.0, **given)


def test_planted_coupling_is_found_where_it_is_and_at_its_phase():
    found = couple([signal(0.8, seed=0), signal(0.8, seed=1)])
    index = found.modulation_index
    place = np.unravel_index(index.argmax(), index.shape)
    assert (PHASES[place[0]], AMPLITUDES[place[1]]) == (7.0, 85.0)
    assert index[place] > 10 * found.chance
    assert found.z[place] > 5
    assert found.vector_phase_rad[place] == pytest.approx(1.0, abs=0.15)
    assert found.profile[place].argmax() == int((1.0 + math.pi) / (2 * math.pi) * N_BINS)
    assert found.profile[place].mean() == pytest.approx(1.0)
    assert index[0, 0] < found.chance  # 5 Hz and 45 Hz know nothing of each other
    assert found.duration_s == pytest.approx(2 * 58, abs=0.1)


def test_deeper_coupling_has_a_larger_index_and_vector():
    weak, strong = couple([signal(0.3)]), couple([signal(0.8)])
    assert strong.modulation_index[1, 2] > 2 * weak.modulation_index[1, 2]
    assert strong.vector_length[1, 2] > 1.5 * weak.vector_length[1, 2]


def test_without_coupling_little_exceeds_chance():
    above = 0
    for seed in range(12):
        found = couple([signal(0.0, n_s=40, seed=seed)])
        above += bool((found.modulation_index > found.chance).any())
    # 5 % of comodulograms should: more than 4 of 12 come once in 1,800 times.
    assert above <= 4


def test_the_index_is_that_of_the_paper():
    even = np.full(N_BINS, 3.0)
    assert _modulation_index(even) == pytest.approx(0.0, abs=1e-12)
    one = np.zeros(N_BINS)
    one[4] = 2.0
    assert _modulation_index(one) == pytest.approx(1.0)
    half = np.r_[np.ones(9), np.zeros(9)]
    assert _modulation_index(half) == pytest.approx(1 - math.log(9) / math.log(18))


def test_too_little_and_what_is_not_a_number_is_nan():
    broken = signal(0.8, n_s=20)
    broken[100] = np.nan
    found = couple([signal(0.8, n_s=20), broken, signal(0.8, n_s=3)])
    assert np.isnan(found.modulation_index).all()
    assert math.isnan(found.chance)
    assert found.duration_s == pytest.approx(18, abs=0.1)
