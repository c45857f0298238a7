"""From epochs to the columns of a picture: means and quantiles, never a pick of one in many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.time import Interval

Array = NDArray[np.float64]

_CHUNK_ROWS = 2048


def column_width_epochs(interval: Interval, epoch_s: float, max_columns: int) -> int:
    """How many whole epochs a column of the picture covers."""
    n_epochs = max(1, int(np.ceil(interval.duration_s / epoch_s)))
    return max(1, -(-n_epochs // max_columns))


def column_grid(interval: Interval, column_s: float) -> tuple[int, int]:
    """Number of the first column and how many there are; columns count from the session's start."""
    first = int(np.floor(interval.start_s / column_s + 1e-9))
    stop = int(np.ceil(interval.stop_s / column_s - 1e-9))
    return first, max(1, stop - first)


def mean_columns(
    start_s: Array,
    values: NDArray[np.floating],
    epoch_s: float,
    interval: Interval,
    max_columns: int,
) -> tuple[float, float, Array]:
    """Mean over the epochs of each column, those that are NaN left out.

    Parameters
    ----------
    start_s : (n_epochs,) in order
    values : (n_epochs, n_values), linear power and not dB
    interval : what the picture shows
    max_columns : how many columns the picture has at most

    Returns
    -------
    Start of the first column (s), width of a column (s) and (n_columns, n_values) means; NaN where
    a column has no value.
    """
    width = column_width_epochs(interval, epoch_s, max_columns)
    column_s = width * epoch_s
    first, n_columns = column_grid(interval, column_s)
    column = np.rint(start_s / epoch_s).astype(np.int64) // width - first
    means = np.full((n_columns, values.shape[1]), np.nan)
    per_chunk = max(1, _CHUNK_ROWS // width)
    for start in range(0, n_columns, per_chunk):
        stop = min(n_columns, start + per_chunk)
        a, b = np.searchsorted(column, [start, stop])
        if b <= a:
            continue
        chunk = np.array(values[a:b], np.float64)
        known = np.isfinite(chunk)
        chunk[~known] = 0.0
        edges = np.r_[0, np.flatnonzero(np.diff(column[a:b])) + 1]
        count = np.add.reduceat(known, edges, axis=0, dtype=np.int64)
        total = np.add.reduceat(chunk, edges, axis=0)
        filled = column[a:b][edges]
        means[filled] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return first * column_s, column_s, means


def quantile_columns(
    start_s: Array,
    values: NDArray[np.floating],
    epoch_s: float,
    interval: Interval,
    max_columns: int,
    window_epochs: int,
    quantiles: tuple[float, ...],
) -> tuple[Array, Array]:
    """Quantiles of a running window of epochs, at the middle of each column.

    The window holds only what was recorded; where a column has no epoch with a value there is none,
    so that nothing is drawn across a gap.

    Parameters
    ----------
    start_s : (n_epochs,) in order
    values : (n_epochs, n_series)
    window_epochs : length of the window; at least as long as a column is taken

    Returns
    -------
    (n_columns,) time of each column's middle (s) and (n_quantiles, n_columns, n_series)
    """
    width = column_width_epochs(interval, epoch_s, max_columns)
    window = max(width, window_epochs)
    first, n_columns = column_grid(interval, width * epoch_s)
    first_epoch = first * width - window
    n_epochs = n_columns * width + 2 * window
    series = np.full((n_epochs, values.shape[1]), np.nan)
    index = np.rint(start_s / epoch_s).astype(np.int64) - first_epoch
    inside = (index >= 0) & (index < n_epochs)
    series[index[inside]] = values[inside]
    left = window + np.arange(n_columns) * width
    begin = left + width // 2 - window // 2
    gathered = series[begin[:, None] + np.arange(window)]
    result = sorted_quantiles(gathered, quantiles)
    own = np.isfinite(series[left[:, None] + np.arange(width)]).any(axis=1)
    result[:, ~own] = np.nan
    middle_s = ((first + np.arange(n_columns, dtype=np.float64)) * width + width / 2) * epoch_s
    return middle_s, result


def sorted_quantiles(values: NDArray[np.floating], quantiles: tuple[float, ...]) -> Array:
    """Quantiles along axis 1, NaN left out; NaN where nothing is left.

    Parameters
    ----------
    values : (n, n_samples, n_series)

    Returns
    -------
    (n_quantiles, n, n_series), linearly interpolated between samples
    """
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    result = np.full((len(quantiles), *count.shape), np.nan)
    for i, quantile in enumerate(quantiles):
        position = quantile * np.maximum(count - 1, 0)
        low = np.floor(position).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        a = np.take_along_axis(ordered, low[:, None], axis=1)[:, 0]
        b = np.take_along_axis(ordered, high[:, None], axis=1)[:, 0]
        result[i] = np.where(count > 0, a + (b - a) * (position - low), np.nan)
    return result


def log_rows(
    frequency_hz: Array, columns: Array, low_hz: float, high_hz: float, n_rows: int
) -> tuple[Array, Array]:
    """Columns of a spectrum on rows equally spaced in the logarithm of frequency.

    A row that covers several frequencies is their mean power; one that covers none shows the
    nearest one.

    Parameters
    ----------
    frequency_hz : (n_frequencies,) in order
    columns : (n_columns, n_frequencies), linear power

    Returns
    -------
    (n_rows + 1,) edges in Hz and (n_rows, n_columns) power, lowest frequency first
    """
    edges = np.geomspace(low_hz, high_hz, n_rows + 1)
    begin, end = np.searchsorted(frequency_hz, edges[:-1]), np.searchsorted(frequency_hz, edges[1:])
    rows = np.empty((n_rows, len(columns)))
    centre = np.sqrt(edges[:-1] * edges[1:])
    for i in range(n_rows):
        if end[i] > begin[i]:
            rows[i] = columns[:, begin[i] : end[i]].mean(axis=1)
        else:
            rows[i] = columns[:, int(np.argmin(np.abs(frequency_hz - centre[i])))]
    return edges, rows
