"""Colours that everyone can tell apart, and a style that leaves nothing behind."""

from __future__ import annotations

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from wakeful.figures import STATE_COLOURS, STATE_ROWS
from wakeful.figures.style import house_style, sequence_colours
from wakeful.model.epochs import State

# Machado, Oliveira & Fernandes 2009 (IEEE TVCG 15:1291), severity 1.0.
DICHROMACIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def seen_lab(colour: str, dichromacy: str) -> np.ndarray:
    """CIELAB of a colour as seen with a dichromacy."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = RGB_TO_XYZ @ np.clip(DICHROMACIES[dichromacy] @ linear, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("dichromacy", DICHROMACIES)
def test_states_are_told_apart(dichromacy: str) -> None:
    for a, b in combinations(STATE_ROWS, 2):
        first, second = (seen_lab(STATE_COLOURS[s], dichromacy) for s in (a, b))
        assert np.linalg.norm(first - second) > 25, (a, b)


def test_rows_go_from_awake_to_rem() -> None:
    assert STATE_ROWS == (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)


def test_bands_get_lighter_with_frequency() -> None:
    lightness = [seen_lab(c, "none")[0] for c in sequence_colours(6)]
    assert (np.diff(lightness) > 5).all()
    assert lightness[-1] < 80  # still seen on white
    assert len(sequence_colours(1)) == 1


def test_the_style_leaves_matplotlib_as_it_was() -> None:
    with mpl.rc_context({"font.size": 31.0}):
        with house_style():
            assert mpl.rcParams["font.size"] == 7.0
            assert mpl.rcParams["svg.hashsalt"] == "wakeful"
        assert mpl.rcParams["font.size"] == 31.0
