"""The figure of several animals: every pair has its row, every animal its dot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.figures.test_scorers import make

from wakeful.figures import draw_animals, render
from wakeful.sleep.scorers import compute_bland_altman


def test_each_animal_is_a_dot_and_lines_are_bias_and_limits() -> None:
    _, base = make(2, clock=False)
    animals = [
        replace(base, subject=f"M{i}", minutes=base.minutes + np.array([[0.0], [float(i)]]))
        for i in range(3)
    ]
    figure = draw_animals(animals)
    kappa, _, minutes, bouts = figure.axes
    assert len([line for line in kappa.lines if line.get_marker() == "o"]) == 3
    dots = [line for line in minutes.lines if line.get_marker() == "o"]
    first, second = (np.array([a.minutes[i, 0] for a in animals]) for i in (0, 1))
    np.testing.assert_allclose(dots[0].get_ydata(), second - first)
    np.testing.assert_allclose(dots[0].get_xdata(), (first + second) / 2)
    found = compute_bland_altman(first, second)
    drawn = {float(line.get_ydata()[0]) for line in minutes.lines if line.get_marker() == "None"}
    for wanted in (found.bias, found.lower, found.upper):
        assert min(abs(value - wanted) for value in drawn) == pytest.approx(0, abs=1e-9)
    assert bouts.get_xlabel() == "mean of both, bouts"
    assert render(figure, "png", "a" * 64)[:4] == b"\x89PNG"


def test_of_many_scorers_some_pairs_are_left_to_the_tables() -> None:
    _, base = make(4, clock=False)
    figure = draw_animals([replace(base, subject=name) for name in ("M1", "M2")])
    assert len(figure.axes) == 2 + 2 * 6
    _, base = make(5, clock=False)
    figure = draw_animals([replace(base, subject=name) for name in ("M1", "M2")])
    assert len(figure.axes) == 2 + 2 * 6
    assert "(4 more in the tables)" in " ".join(t.get_text() for t in figure.texts)
