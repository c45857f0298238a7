"""Figures of rhythms: what stands on them, and what they say where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from wakeful.figures import draw_connectivity, draw_spectral_fit, render
from wakeful.model.rhythms import Connectivity, SpectralFit

KEY = "0123456789abcdef" * 4


def _fit(fake, **changes):
    start_s = fake.spectrogram.start_s
    n, regions = len(start_s), fake.spectrogram.regions
    known = np.isfinite(fake.spectrogram.power_uv2_per_hz).all(axis=(1, 2))
    rng = np.random.default_rng(0)
    column = np.where(known[:, None], rng.normal(1.5, 0.2, (n, len(regions))), np.nan)
    theta = np.where(rng.random(column.shape) < 0.5, column + 6, np.nan)
    whole = {
        "start_s": start_s,
        "offset": column,
        "exponent": column,
        "knee_hz": column * np.nan,
        "error": column * 0 + 0.05,
        "r_squared": column * 0 + 0.93,
        "peak_hz": theta[:, :, None],
        "peak_height": theta[:, :, None] * 0 + 0.6,
        "peak_width_hz": theta[:, :, None] * 0 + 1.0,
        "theta_hz": theta,
        "theta_height": theta * 0 + 0.6,
        "theta_power_uv2": theta * 0 + 100,
        "regions": regions,
        "epoch_s": 4.0,
        "window_s": 20.0,
        "model": "fixed",
        "range_hz": (2.0, 45.0),
        "theta_range_hz": (5.0, 12.0),
    }
    return SpectralFit(**{**whole, **changes})


def _connectivity(hours=24.0, regions=("CA1", "PFC", "V1"), bipolar=True, **changes):
    n = int(hours * 60)
    pairs = tuple((a, b) for i, a in enumerate(regions) for b in regions[i + 1 :])
    frequency_hz = np.arange(1, 201) * 0.5
    rng = np.random.default_rng(1)
    values = rng.random((n, len(pairs), 200), np.float32) * 0.1
    values += np.arange(len(pairs), dtype=np.float32)[:, None] * 0.01
    values[n // 3 : n // 2] = np.nan
    whole = {
        "start_s": np.arange(n) * 60.0,
        "coherence": values,
        "phase_locking": values,
        "wpli": values - 0.05,
        "n_epochs": np.full((n, len(pairs)), 15, np.int16),
        "montage": np.zeros((n, len(regions)), np.int8),
        "frequency_hz": frequency_hz,
        "regions": regions,
        "montages": tuple((f"{r}1 - {r}4",) if bipolar else (f"{r}1",) for r in regions),
        "pairs": pairs,
        "bipolar": (bipolar,) * len(pairs),
        "window_s": 60.0,
        "epoch_s": 4.0,
        "method": "multitaper",
        "n_tapers": 3,
        "notes": () if bipolar else ("volume conduction " * 20,),
    }
    return Connectivity(**{**whole, **changes})


def _texts(figure):
    return [
        text.get_text() for axes in figure.axes for text in axes.texts if text.get_text().strip()
    ]


def test_a_fit_is_drawn_with_its_range_and_what_it_explains(make_fake_day):
    fake = make_fake_day(n_regions=2)
    figure = draw_spectral_fit(fake.session, _fit(fake), fake.day.interval, fake.spans)
    texts = _texts(figure)
    assert "CA1: aperiodic part" in texts
    assert "PFC: theta" in texts
    assert any("2–45 Hz (fixed); R² 0.93" in text for text in texts)
    assert any("50 % of epochs" in text or "49 % of epochs" in text for text in texts)
    assert [a.get_ylabel() for a in figure.axes if a.get_ylabel() == "exponent"] == ["exponent"] * 2
    points = [c for axes in figure.axes for c in axes.collections if isinstance(c, PathCollection)]
    known = np.isfinite(_fit(fake).theta_hz)
    assert [len(c.get_offsets()) for c in points] == list(known.sum(axis=0))
    assert render(figure, "png", KEY) == render(figure, "png", KEY)


def test_a_refusal_and_a_lack_of_peaks_are_said(make_fake_day):
    fake = make_fake_day(n_regions=2, hours=2, gaps_h=())
    fit = _fit(fake)
    exponent, theta = fit.exponent.copy(), fit.theta_hz.copy()
    exponent[:, 0] = theta[:, :] = np.nan
    refused = ("CA1: hardware high-pass of 3 Hz: the spectrum can't be trusted from 2 Hz on",)
    fit = replace(fit, exponent=exponent, theta_hz=theta, refused=refused)
    texts = " ".join(_texts(draw_spectral_fit(fake.session, fit)))
    assert texts.count("hardware high-pass of 3 Hz") == 2
    assert "no epoch has a theta peak" in texts


@pytest.mark.parametrize("measure", ["coherence", "phase_locking", "wpli"])
def test_every_pair_is_drawn_and_its_signals_are_named(make_fake_day, measure):
    fake = make_fake_day(n_regions=2)
    figure = draw_connectivity(fake.session, _connectivity(), measure=measure)
    texts = _texts(figure)
    assert any(text.startswith("CA1 and V1: ") for text in texts)
    assert "CA11 - CA14, PFC1 - PFC4 (bipolar)" in texts
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 3
    assert images[0].get_array().shape[1] <= 1100
    assert render(figure, "png", KEY)[:4] == b"\x89PNG"


def test_volume_conduction_is_named_on_the_figure(make_fake_day):
    fake = make_fake_day(n_regions=2)
    figure = draw_connectivity(fake.session, _connectivity(hours=2, bipolar=False))
    texts = " ".join(_texts(figure))
    assert "not bipolar: see the note below" in texts
    assert "volume conduction" in texts


def test_of_many_pairs_the_strongest_are_drawn_and_it_is_said(make_fake_day):
    fake = make_fake_day(n_regions=2)
    regions = tuple("ABCDEFG")
    figure = draw_connectivity(fake.session, _connectivity(hours=1, regions=regions))
    texts = _texts(figure)
    assert "shown are the 12 of 21 pairs with most of it" in texts
    assert any(text.startswith("F and G") for text in texts)
    assert not any(text.startswith("A and B") for text in texts)


def test_nothing_to_show_is_said(make_fake_day):
    fake = make_fake_day(n_regions=2, hours=1, gaps_h=())
    none = _connectivity(hours=1)
    none = replace(none, wpli=none.wpli * np.nan)
    texts = _texts(draw_connectivity(fake.session, none))
    assert sum(text.startswith("no squared wPLI") for text in texts) == 3
