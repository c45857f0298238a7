"""The figure of channels against time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from wakeful.figures import FAULT_COLOURS, draw_channel_quality, render
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, Span

SESSION = Session(
    name="2026-01-12_x",
    subject=Subject(identifier="SIM001"),
    start_utc=datetime(2026, 1, 12, 10, tzinfo=UTC),
    duration_s=7200.0,
    time_zone="Europe/Berlin",
    light=LightSchedule(),
)


def table(n_channels: int, rows, notes=()) -> ChannelQuality:
    n = len(rows)
    return ChannelQuality(
        start_s=np.array([r[2] for r in rows], float),
        stop_s=np.array([r[3] for r in rows], float),
        channel=np.array([r[0] for r in rows], np.int32),
        kind=np.array([r[1] for r in rows], np.int8),
        value=np.ones(n),
        limit=np.ones(n),
        heeded=np.array([r[4] for r in rows], np.bool_),
        reason=np.array(["why"] * n, np.str_),
        channels=tuple(f"CSC{i + 1}" for i in range(n_channels)),
        regions=tuple("CA1" if i < n_channels / 2 else "PFC" for i in range(n_channels)),
        notes=notes,
    )


def texts(figure) -> list[str]:
    figure.canvas.draw()
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def test_every_fault_is_drawn_where_it_is_in_its_colour_and_told_below():
    rows = [
        (0, FaultKind.MAINS, 600, 1200, True),
        (3, FaultKind.DISCONNECTED, 0, 7200, True),
        (2, FaultKind.COPY, 60, 120, False),
    ]
    quality = table(4, rows, notes=("hardware high-pass of 1 Hz: delta can't be trusted (CSC1)",))
    figure = draw_channel_quality(SESSION, quality, None, (Span(0, 7200, 1.0, 0),))
    grid = next(
        a for a in figure.axes if [t.get_text() for t in a.get_yticklabels()][:1] == ["CSC1"]
    )
    drawn = {}
    for bars in grid.collections:
        box = bars.get_paths()[0].get_extents()
        drawn[to_hex(bars.get_edgecolor()[0]).upper()] = (box.x0, box.x1)
    assert drawn[FAULT_COLOURS[FaultKind.MAINS]] == (600, 1200)
    assert drawn[FAULT_COLOURS[FaultKind.DISCONNECTED]] == (0, 7200)
    said = texts(figure)
    assert "CSC1: mains hum 11:10:00 to 11:20:00, 10 min (why)" in said
    assert "CSC4: disconnected throughout (why)" in said
    assert any("CSC3" in t and "not heeded" in t for t in said)
    assert any(t.startswith("hardware high-pass of 1 Hz") for t in said)
    assert any(t.startswith("2 of 4 channels have a fault") and "dotted" in t for t in said)


def test_no_fault_is_said_to_be_none():
    assert "no fault was found, and none marked by hand" in texts(
        draw_channel_quality(SESSION, table(4, []))
    )


@pytest.mark.parametrize("n_channels", [1, 20, 128])
def test_it_fits_any_number_of_channels_and_renders(n_channels):
    rows = [(i % n_channels, FaultKind(i % 7), i * 60, i * 60 + 50, True) for i in range(40)]
    rows = [r if r[1] is not FaultKind.DEAD else (*r[:3], r[3], True) for r in rows]
    figure = draw_channel_quality(SESSION, table(n_channels, rows), Interval(0, 7200))
    assert any("shorter ones: see channel_quality.csv" in t for t in texts(figure))
    assert figure.get_figheight() * 25.4 < 330
    assert render(figure, "png", "k" * 64)[:4] == b"\x89PNG"


def test_the_colours_are_apart_for_dichromats():
    """Distance in simulated deuteranopia and protanopia (Vienot et al. 1999), linear RGB."""
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    colours = np.array([to_rgb(c) for c in FAULT_COLOURS.values()])
    for matrix in (np.eye(3), deutan, protan):
        seen = np.clip((colours**2.2) @ matrix.T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
        assert apart[np.triu_indices(len(seen), 1)].min() > 0.12
