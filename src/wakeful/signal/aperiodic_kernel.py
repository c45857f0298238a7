"""The compiled part of `wakeful.signal.aperiodic`: one spectrum after the other.

The parameters of a model are (base, exponent, log knee), then centre, height and standard deviation
of each peak. Base is the level at the middle of the range, or that of the plateau where there is a
knee: it hangs less together with the exponent than the level at 1 Hz does. Loops and assignments
are written out, since what Numba makes of NumPy's own takes it several times as long to compile.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_STEPS = 40


@njit(nogil=True, cache=True)
def fit_all(
    frequency_hz: Floats,
    level: Floats,
    knee: bool,
    max_peaks: int,
    settings: Floats,
    out: Floats,
) -> None:
    """Fit spectra one after the other.

    Parameters
    ----------
    level : (n_spectra, n), log10 power
    settings : least height, threshold in standard deviations, narrowest and widest Gaussian (Hz)
    out : (n_spectra, 5 + 3 * max_peaks): offset, exponent, knee, error, R2, then each peak's
        centre, height and standard deviation in order of frequency
    """
    n = frequency_hz.size
    log_f = np.log(frequency_hz)
    p = np.empty(3 + 3 * max_peaks)
    guess = np.empty(3 * max_peaks)
    left = np.empty(n)
    n_aperiodic = 3 if knee else 2
    for s in range(level.shape[0]):
        y, row = level[s], out[s]
        for i in range(row.size):
            row[i] = np.nan
        _fit_line(log_f, y, p)
        if knee:
            _fit_knee(log_f, y, p)
        n_peaks = 0
        if max_peaks:
            _model(frequency_hz, log_f, p, 0, knee, left)
            for i in range(n):
                left[i] = y[i] - left[i]
            n_peaks = _find_peaks(frequency_hz, left, max_peaks, settings, guess)
            for i in range(3 * n_peaks):
                p[3 + i] = guess[i]
        _least_squares(frequency_hz, log_f, y, p, n_aperiodic, n_peaks, settings)
        # What the fit together has made too low, or pushed to an edge, is no peak: without it
        # the rest is fitted again.
        for _ in range(max_peaks):
            if n_peaks == 0:
                break
            _model(frequency_hz, log_f, p, n_peaks, knee, left)
            for i in range(n):
                left[i] = y[i] - left[i]
            least = max(settings[0], settings[1] * _spread(left))
            kept = _keep_peaks(frequency_hz, p, n_peaks, least)
            if kept == n_peaks:
                break
            n_peaks = kept
            _least_squares(frequency_hz, log_f, y, p, n_aperiodic, n_peaks, settings)
        _model(frequency_hz, log_f, p, n_peaks, knee, left)
        mean = 0.0
        for i in range(n):
            mean += y[i] / n
        absolute = squares = total = 0.0
        for i in range(n):
            d = y[i] - left[i]
            absolute += abs(d)
            squares += d * d
            total += (y[i] - mean) ** 2
        if knee:
            row[0] = p[0] + p[1] * p[2] / math.log(10.0)
            row[2] = math.exp(p[2])
        else:
            row[0] = p[0] + p[1] * log_f[n // 2] / math.log(10.0)
        row[1] = p[1]
        row[3] = absolute / n
        row[4] = 1 - squares / total if total > 0 else np.nan
        for k in range(n_peaks):
            place = 0
            for other in range(n_peaks):
                a, b = p[3 + 3 * other], p[3 + 3 * k]
                if a < b or (a == b and other < k):
                    place += 1
            for j in range(3):
                row[5 + 3 * place + j] = p[3 + 3 * k + j]


@njit(nogil=True, cache=True)
def _spread(values: Floats) -> float:
    """Standard deviation by the median absolute deviation, which few outliers do not move."""
    n = values.size
    work = np.empty(n)
    for i in range(n):
        work[i] = values[i]
    middle = _median(work, n)
    for i in range(n):
        work[i] = abs(values[i] - middle)
    return 1.4826 * _median(work, n)


@njit(nogil=True, cache=True)
def _median(values: Floats, n: int) -> float:
    """Of the first `n` values, which are put into another order (Hoare's selection).

    Written out: what Numba makes of `np.median` takes it half a minute to compile.
    """
    wanted = n // 2
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    if n % 2:
        return float(values[wanted])
    below = values[0]
    for i in range(1, wanted):
        below = max(below, values[i])
    return float((below + values[wanted]) / 2)


@njit(nogil=True, cache=True)
def _fit_line(log_f: Floats, y: Floats, p: Floats) -> None:
    """A line that gives little weight to what rises above it."""
    n = y.size
    middle = log_f[n // 2]
    weight = np.empty(n)
    for i in range(n):
        weight[i] = 1.0
    left = np.empty(n)
    below = np.empty(n)
    unit = math.log(10.0)
    for _ in range(12):
        sw = sx = sy = sxx = sxy = 0.0
        for i in range(n):
            x = (log_f[i] - middle) / unit
            sw += weight[i]
            sx += weight[i] * x
            sy += weight[i] * y[i]
            sxx += weight[i] * x * x
            sxy += weight[i] * x * y[i]
        slope = (sw * sxy - sx * sy) / (sw * sxx - sx * sx)
        p[0], p[1] = (sy - slope * sx) / sw, -slope
        for i in range(n):
            left[i] = y[i] - p[0] - slope * (log_f[i] - middle) / unit
        # The spread of what lies below the line: peaks add nothing to it.
        n_below = 0
        for i in range(n):
            if left[i] < 0:
                below[n_below] = -left[i]
                n_below += 1
        scale = 1.4826 * _median(below, n_below) if n_below else 0.0
        for i in range(n):
            over = left[i] - scale
            weight[i] = 1.0 if over <= 0 else (scale / (scale + over) if scale > 0 else 1.0) ** 2
    p[2] = 0.0


@njit(nogil=True, cache=True)
def _fit_knee(log_f: Floats, y: Floats, p: Floats) -> None:
    """Start of the fit with a knee: the best of a few knees, what rises above weighs little."""
    n = y.size
    unit = math.log(10.0)
    best = np.inf
    line_exponent = max(p[1], 0.1)
    kept = (p[0], p[1], 0.0)
    left = np.empty(n)
    work = np.empty(n)
    for number in range(8):
        knee = log_f[0] + (log_f[n - 1] - log_f[0]) * (number - 1) / 8
        for factor in (1.0, 1.4, 2.0, 2.8):
            exponent = line_exponent * factor
            for i in range(n):
                left[i] = y[i] + _log1p_exp(exponent * (log_f[i] - knee)) / unit
                work[i] = left[i]
            base = _median(work, n)
            cost = 0.0
            for i in range(n):
                d = left[i] - base
                cost += min(abs(d), 0.3) if d > 0 else -d
            if cost < best:
                best = cost
                kept = (base, exponent, knee)
    p[0], p[1], p[2] = kept


@njit(nogil=True, cache=True)
def _model(
    frequency_hz: Floats, log_f: Floats, p: Floats, n_peaks: int, knee: bool, out: Floats
) -> None:
    n = out.size
    unit = math.log(10.0)
    middle = log_f[n // 2]
    for i in range(n):
        if knee:
            out[i] = p[0] - _log1p_exp(p[1] * (log_f[i] - p[2])) / unit
        else:
            out[i] = p[0] - p[1] * (log_f[i] - middle) / unit
    step = frequency_hz[1] - frequency_hz[0]
    for k in range(n_peaks):
        centre, height, sd = p[3 + 3 * k], p[4 + 3 * k], p[5 + 3 * k]
        a = max(0, int((centre - 5 * sd - frequency_hz[0]) / step))
        b = min(n, int((centre + 5 * sd - frequency_hz[0]) / step) + 2)
        for i in range(a, b):
            u = (frequency_hz[i] - centre) / sd
            out[i] += height * math.exp(-0.5 * u * u)


@njit(nogil=True, cache=True)
def _log1p_exp(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


@njit(nogil=True, cache=True)
def _find_peaks(
    frequency_hz: Floats, left: Floats, max_peaks: int, settings: Floats, found: Floats
) -> int:
    """Centres, heights and widths of peaks, the highest first; takes them out of `left`."""
    n = left.size
    step = frequency_hz[1] - frequency_hz[0]
    smooth = np.empty(n)
    n_peaks = 0
    for _ in range(2 * max_peaks):
        if n_peaks == max_peaks:
            break
        for i in range(n):
            a, b = left[max(i - 1, 0)], left[min(i + 1, n - 1)]
            smooth[i] = (a + 2 * left[i] + b) / 4
        top = 0
        for i in range(1, n):
            if smooth[i] > smooth[top]:
                top = i
        height = smooth[top]
        if height < max(settings[0], settings[1] * _spread(left)):
            break
        # Half height on either side; the nearer one, since the other may belong to a neighbour.
        half = height / 2
        a = top
        while a >= 0 and smooth[a] > half:
            a -= 1
        b = top
        while b < n and smooth[b] > half:
            b += 1
        reach = n
        if a >= 0:
            reach = min(reach, top - a)
        if b < n:
            reach = min(reach, b - top)
        sd = min(max(reach * step / 1.1774, settings[2]), settings[3])
        centre = frequency_hz[top]
        for i in range(n):
            u = (frequency_hz[i] - centre) / sd
            left[i] -= height * math.exp(-0.5 * u * u)
        # A rise at the edge of the range is taken out so that the next one is seen, but it is no
        # peak of which both sides are known.
        if centre - frequency_hz[0] >= sd and frequency_hz[n - 1] - centre >= sd:
            found[3 * n_peaks] = centre
            found[3 * n_peaks + 1] = height
            found[3 * n_peaks + 2] = sd
            n_peaks += 1
    return n_peaks


@njit(nogil=True, cache=True)
def _keep_peaks(frequency_hz: Floats, p: Floats, n_peaks: int, least: float) -> int:
    """Take out peaks that are too low, at an edge, or inside a higher one; how many are left."""
    n = frequency_hz.size
    kept = 0
    for k in range(n_peaks):
        centre, height, sd = p[3 + 3 * k], p[4 + 3 * k], p[5 + 3 * k]
        good = height >= least
        good = good and centre - frequency_hz[0] >= sd and frequency_hz[n - 1] - centre >= sd
        for other in range(n_peaks):
            apart = abs(p[3 + 3 * other] - centre)
            higher = p[4 + 3 * other] > height or (p[4 + 3 * other] == height and other < k)
            if other != k and higher and apart < 0.75 * min(sd, p[5 + 3 * other]):
                good = False
        if good:
            p[3 + 3 * kept] = centre
            p[4 + 3 * kept] = height
            p[5 + 3 * kept] = sd
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _least_squares(
    frequency_hz: Floats,
    log_f: Floats,
    y: Floats,
    p: Floats,
    n_aperiodic: int,
    n_peaks: int,
    settings: Floats,
) -> None:
    """Aperiodic part and peaks together, by damped least squares with limits on the peaks."""
    n = y.size
    knee = n_aperiodic == 3
    m = n_aperiodic + 3 * n_peaks
    unit = math.log(10.0)
    middle = log_f[n // 2]
    step = frequency_hz[1] - frequency_hz[0]
    start = np.empty(p.size)
    trial = np.empty(p.size)
    for i in range(p.size):
        start[i] = trial[i] = p[i]
    model = np.empty(n)
    slopes = np.empty((m, n))
    normal = np.empty((m, m))
    damped = np.empty((m, m))
    gradient = np.empty(m)
    change = np.empty(m)
    first = np.empty(m, np.int64)
    stop = np.empty(m, np.int64)
    for i in range(m):
        first[i], stop[i] = 0, n
    damping = 1e-3
    _model(frequency_hz, log_f, p, n_peaks, knee, model)
    cost = 0.0
    for i in range(n):
        cost += (y[i] - model[i]) ** 2
    for _ in range(_MOST_STEPS):
        for i in range(n):
            slopes[0, i] = 1.0
            if knee:
                x = p[1] * (log_f[i] - p[2])
                share = 1 / (1 + math.exp(-x)) if x > -700 else 0.0
                slopes[1, i] = -share * (log_f[i] - p[2]) / unit
                slopes[2, i] = share * p[1] / unit
            else:
                slopes[1, i] = -(log_f[i] - middle) / unit
        for k in range(n_peaks):
            centre, height, sd = p[3 + 3 * k], p[4 + 3 * k], p[5 + 3 * k]
            at = n_aperiodic + 3 * k
            a = max(0, int((centre - 5 * sd - frequency_hz[0]) / step))
            b = min(n, int((centre + 5 * sd - frequency_hz[0]) / step) + 2)
            for j in range(at, at + 3):
                first[j] = a
                stop[j] = b
            for i in range(a, b):
                u = (frequency_hz[i] - centre) / sd
                e = math.exp(-0.5 * u * u)
                slopes[at, i] = height * e * u / sd
                slopes[at + 1, i] = e
                slopes[at + 2, i] = height * e * u * u / sd
        for i in range(m):
            for j in range(i + 1):
                total = 0.0
                for t in range(max(first[i], first[j]), min(stop[i], stop[j])):
                    total += slopes[i, t] * slopes[j, t]
                normal[i, j] = normal[j, i] = total
            total = 0.0
            for t in range(first[i], stop[i]):
                total += slopes[i, t] * (y[t] - model[t])
            gradient[i] = total
        improved = False
        for _ in range(8):
            for i in range(m):
                for j in range(m):
                    damped[i, j] = normal[i, j]
                damped[i, i] += damping * max(normal[i, i], 1e-9)
            if not _solve(damped, gradient, change):
                damping *= 10
                continue
            for i in range(m):
                at = i if i < n_aperiodic else 3 + i - n_aperiodic
                trial[at] = p[at] + change[i]
            if knee:
                trial[2] = min(max(trial[2], log_f[0] - 3.0), log_f[n - 1] + 1.0)
            for k in range(n_peaks):
                c, h, w = 3 + 3 * k, 4 + 3 * k, 5 + 3 * k
                near = 1.5 * max(start[w], settings[2])
                trial[c] = min(max(trial[c], start[c] - near), start[c] + near)
                trial[h] = max(trial[h], 0.0)
                trial[w] = min(max(trial[w], settings[2]), settings[3])
            _model(frequency_hz, log_f, trial, n_peaks, knee, model)
            new = 0.0
            for i in range(n):
                new += (y[i] - model[i]) ** 2
            if new < cost:
                improved = True
                break
            damping *= 10
        if not improved:
            break
        gain = cost - new
        cost = new
        for i in range(p.size):
            p[i] = trial[i]
        damping = max(damping / 10, 1e-9)
        if gain <= 1e-6 * cost + 1e-20:
            break


@njit(nogil=True, cache=True)
def _solve(a: Floats, b: Floats, x: Floats) -> bool:
    """Solve a x = b by Cholesky's decomposition, in place; False where `a` is not positive."""
    m = b.size
    for j in range(m):
        total = a[j, j]
        for k in range(j):
            total -= a[j, k] * a[j, k]
        if not total > 0:
            return False
        a[j, j] = math.sqrt(total)
        for i in range(j + 1, m):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            a[i, j] = total / a[j, j]
    for i in range(m):
        total = b[i]
        for k in range(i):
            total -= a[i, k] * x[k]
        x[i] = total / a[i, i]
    for i in range(m - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, m):
            total -= a[k, i] * x[k]
        x[i] = total / a[i, i]
    return True
