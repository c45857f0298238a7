"""Sleep of simulated mice within the range of scored ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.scores import read_scores
from wakeful.sleep.hand_scores import make_hypnogram

ANIMALS = {
    "awake bouts": (190.0, 283.0),
    "awake bout mean s": (158.7, 245.6),
    "awake bout median s": (10.0, 20.0),
    "awake bout 90th percentile s": (88.0, 802.0),
    "awake share light %": (29.0, 40.0),
    "awake share dark %": (69.3, 74.0),
    "NREM bouts": (195.0, 286.0),
    "NREM bout mean s": (128.8, 189.2),
    "NREM bout median s": (100.0, 145.0),
    "NREM bout 90th percentile s": (255.0, 390.0),
    "NREM share light %": (51.9, 64.5),
    "NREM share dark %": (24.6, 28.3),
    "REM bouts": (48.0, 88.0),
    "REM bout mean s": (46.1, 84.8),
    "REM bout median s": (30.0, 70.0),
    "REM bout 90th percentile s": (100.0, 160.0),
    "REM share light %": (6.2, 9.1),
    "REM share dark %": (1.4, 3.2),
    "NREM is followed by REM %": (23.5, 34.7),
    "REM is followed by NREM %": (5.1, 24.2),
    "awake is followed by REM %": (0.0, 2.3),
    "brief awakenings per h of sleep": (9.6, 16.7),
    "stage shifts per h of sleep": (22.2, 31.8),
}
"""Least and most of nine hypnograms of three mice, printed by `benchmarks/simulated_bouts.py`."""

FIRST_SEED = 6000
"""Not one that the simulator was set with, nor one of the benchmark."""


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    root = next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file())
    path = root / "benchmarks" / "simulated_bouts.py"
    spec = importlib.util.spec_from_file_location("simulated_bouts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_median_mouse_lies_within_the_range_of_three_animals(benchmark: ModuleType) -> None:
    made = [benchmark.measure(benchmark.simulated(FIRST_SEED + i)) for i in range(20)]
    assert set(made[0]) == set(ANIMALS)
    medians = {name: float(np.median([values[name] for values in made])) for name in ANIMALS}
    outside = {
        name: medians[name]
        for name, (low, high) in ANIMALS.items()
        if not low <= round(medians[name], 1) <= high
    }
    assert outside == {}


@pytest.mark.real_data
def test_the_ranges_are_those_of_the_animals(benchmark: ModuleType, real_data: Path) -> None:
    paths = sorted((real_data / "sleep/focolab_3scorers").glob("*scores_*.txt"))
    assert len(paths) == 9
    real = [benchmark.measure(make_hypnogram(read_scores(path))) for path in paths]
    found = {
        name: tuple(round(float(end([values[name] for values in real])), 1) for end in (min, max))
        for name in real[0]
    }
    assert found == ANIMALS
