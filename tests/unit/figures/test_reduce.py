"""Columns of a picture against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.figures.reduce import log_rows, mean_columns, quantile_columns, sorted_quantiles
from wakeful.model.time import Interval


@pytest.mark.parametrize(("n_epochs", "max_columns"), [(1000, 100), (5000, 37), (50, 100)])
def test_means_are_those_of_all_epochs_of_the_column(n_epochs: int, max_columns: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 1, (n_epochs, 5)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    start_s = np.arange(n_epochs) * 4.0
    keep = rng.random(n_epochs) < 0.95
    first_s, column_s, means = mean_columns(
        start_s[keep], values[keep], 4.0, Interval(0, n_epochs * 4.0), max_columns
    )
    assert first_s == 0
    assert len(means) <= max_columns
    width = int(column_s / 4)
    for i, mean in enumerate(means):
        rows = slice(i * width, (i + 1) * width)
        members = values[rows][keep[rows]].astype(np.float64)
        for j in range(5):
            known = members[:, j][np.isfinite(members[:, j])]
            if len(known):
                assert mean[j] == pytest.approx(known.mean(), rel=1e-12)
            else:
                assert np.isnan(mean[j])


def test_one_loud_epoch_is_never_dropped() -> None:
    values = np.zeros((1000, 1))
    for loud in (0, 17, 503, 999):
        values[loud] = 7.0
    _, column_s, means = mean_columns(np.arange(1000) * 4.0, values, 4.0, Interval(0, 4000), 50)
    assert means.sum() * column_s / 4 == pytest.approx(28.0)


def test_columns_count_from_the_sessions_start_whatever_is_shown() -> None:
    values = np.arange(100.0)[:, None]
    start_s = np.arange(100) * 4.0
    first_s, column_s, means = mean_columns(start_s, values, 4.0, Interval(42, 400), 45)
    assert column_s == 8
    assert first_s == 40
    assert means[0, 0] == 10.5


def test_running_quantiles_ignore_what_is_missing_and_stay_out_of_gaps() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(400, 2))
    values[100:150] = np.nan
    start_s = np.arange(400) * 4.0
    middle_s, (low, median) = quantile_columns(
        start_s, values, 4.0, Interval(0, 1600), 400, 21, (0.25, 0.5)
    )
    assert np.isnan(median[100:150]).all()
    assert np.isfinite(median[:100]).all()
    assert middle_s[7] == 30.0
    for i in (0, 50, 95, 155, 399):
        window = values[max(0, i - 10) : i + 11]
        assert median[i] == pytest.approx(np.nanmedian(window, axis=0))
        assert low[i] == pytest.approx(np.nanquantile(window, 0.25, axis=0))


def test_quantiles_agree_with_numpy() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(3, 50, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[1, :, 2] = np.nan
    ours = sorted_quantiles(values, (0.05, 0.5, 0.95))
    assert np.isnan(ours[:, 1, 2]).all()
    values[1, :, 2] = 0
    theirs = np.nanquantile(values.astype(np.float64), (0.05, 0.5, 0.95), axis=1)
    ours[:, 1, 2] = 0
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_log_rows_show_a_peak_at_its_frequency() -> None:
    frequency_hz = np.arange(1, 401) * 0.25
    columns = np.ones((3, 400))
    columns[1, 31] = 1000.0  # 8 Hz
    edges_hz, rows = log_rows(frequency_hz, columns, 1.0, 100.0, 128)
    assert rows.shape == (128, 3)
    peak = int(np.argmax(rows[:, 1]))
    assert edges_hz[peak] - 0.13 <= 8.0 <= edges_hz[peak + 1] + 0.13
    assert (rows[:, [0, 2]] == 1).all()
