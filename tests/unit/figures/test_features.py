"""The figure of a day of features."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from wakeful.figures import draw_sleep_features, render
from wakeful.model.epochs import SleepFeatures
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval
from wakeful.sleep.feature_list import list_columns

SESSION = Session(
    name="2026-01-12_x",
    subject=Subject(identifier="SIM001"),
    start_utc=datetime(2026, 1, 12, 10, tzinfo=UTC),
    duration_s=7200.0,
    time_zone="Europe/Berlin",
    light=LightSchedule(),
)


def _features(regions=("CA1", "PFC"), n=1800, seed=0):
    columns = list_columns(regions)
    values = np.random.default_rng(seed).normal(5, 2, (n, len(columns))).astype(np.float32)
    return SleepFeatures(
        start_s=np.arange(n) * 4.0,
        values=values,
        names=tuple(c.name for c in columns),
        units=tuple(c.unit for c in columns),
        groups=tuple(c.group for c in columns),
        regions=regions,
        channels=tuple((f"c{i}",) for i in range(len(regions))),
        epoch_s=4.0,
    )


def _texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def _panel(figure, title):
    (axes,) = [a for a in figure.axes if a.texts and a.texts[0].get_text() == title]
    return axes


def test_every_feature_has_a_row_and_every_region_a_line():
    figure = draw_sleep_features(SESSION, _features())
    panel = _panel(figure, "Spectrum")
    labels = [t.get_text() for t in panel.get_yticklabels()]
    assert len(labels) == len(panel.images) == 25
    assert labels[2] == "log power theta"
    assert {image.get_array().shape[0] for image in panel.images} == {2}
    assert "lines, top to bottom: CA1, PFC" in _texts(figure)
    assert len(_panel(figure, "Pairs of regions").images) == 7
    assert render(figure, "png", "0" * 64)[:4] == b"\x89PNG"


def test_colours_are_robust_deviations_of_what_is_shown():
    features = _features(n=600)
    values = features.values.copy()
    place = features.names.index("PFC.log_power_theta")
    values[:, place] = np.linspace(0, 1, 600)
    values[300:320, place] = np.nan
    values[100, features.names.index("PFC.log_power_delta")] = 1e9
    figure = draw_sleep_features(SESSION, replace(features, values=values))
    shown = _panel(figure, "Spectrum").images[2].get_array()[1]
    known = values[np.isfinite(values[:, place]), place]
    lower, middle, upper = np.percentile(known, [25, 50, 75])
    expected = (values[:, place] - middle) / ((upper - lower) / 1.349)
    np.testing.assert_allclose(np.ma.filled(shown, np.nan)[:600], expected, rtol=1e-4, atol=1e-4)
    # One wild epoch blinds nothing: it is shown as 3.
    delta = _panel(figure, "Spectrum").images[1].get_array()[1]
    assert delta[100] == 3


def test_what_has_no_value_is_said():
    features = _features(regions=("CA1",))
    values = features.values.copy()
    values[:, [g == "muscle" for g in features.groups]] = np.nan
    figure = draw_sleep_features(SESSION, replace(features, values=values))
    assert "neither EMG nor LFP-derived EMG" in _texts(figure)
    assert "Pairs of regions" not in _texts(figure)
    empty = replace(features, values=np.full_like(values, np.nan))
    texts = _texts(draw_sleep_features(SESSION, empty, Interval(0, 3600)))
    assert sum(t.startswith("no features: nothing was recorded") for t in texts) == 3


def test_a_feature_without_spread_lies_at_its_median():
    features = _features()
    values = np.ones_like(features.values)
    figure = draw_sleep_features(SESSION, replace(features, values=values))
    assert (_panel(figure, "Shape of the signal").images[0].get_array() == 0).all()


@pytest.mark.parametrize("interval", [Interval(0, 4), Interval(0, 7200), None])
def test_any_stretch_can_be_drawn(interval):
    for session in (SESSION, replace(SESSION, start_utc=None, light=None)):
        figure = draw_sleep_features(session, _features(("a_$very$_long_name_" * 3, "b")), interval)
        assert render(figure, "svg", "0" * 64)


def test_many_regions_keep_the_page():
    few, many = (
        draw_sleep_features(SESSION, _features(tuple(f"R{i}" for i in range(n)), 200))
        for n in (2, 8)
    )
    assert few.get_size_inches().tolist() == many.get_size_inches().tolist()
