"""Two modes in one feature: where the threshold lies, and whether there are two at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_N_BINS = 400
_N_ITERATIONS = 200


@dataclass(frozen=True, kw_only=True)
class TwoModes:
    """Two Gaussians fitted to a distribution, the lower one first; in the feature's unit."""

    means: tuple[float, float]
    sds: tuple[float, float]
    weights: tuple[float, float]
    threshold: float
    """Between the means, where both are equally probable."""

    @property
    def separation(self) -> float:
        """Distance between the means, in the feature's unit."""
        return self.means[1] - self.means[0]

    @property
    def ashman_d(self) -> float:
        """Distance in standard deviations (Ashman et al. 1994, Astron J 108:2348).

        Above 2 the two modes are clearly apart.
        """
        spread = float(np.hypot(*self.sds))
        return float(np.sqrt(2)) * self.separation / spread if spread > 0 else 0.0

    @property
    def minor_weight(self) -> float:
        """Share of the smaller mode, 0 to 0.5."""
        return min(self.weights)


def find_two_modes(values: Values) -> TwoModes | None:
    """Fit two Gaussians to a distribution, starting from Otsu's threshold.

    The fit runs on a histogram of fixed size, so it costs the same for an hour and for a week and
    does not depend on the order of the values.

    Parameters
    ----------
    values : (n,) any unit; values that are not finite are left out

    Returns
    -------
    None where fewer than 20 finite values are left or they are all alike.

    Notes
    -----
    Otsu 1979, IEEE Trans Syst Man Cybern 9:62; expectation maximisation for mixtures: Dempster
    et al. 1977, J R Stat Soc B 39:1.
    """
    finite = values[np.isfinite(values)]
    if finite.size < 20:
        return None
    # The outermost half per mille would stretch the bins and hold no mode.
    low, high = np.quantile(finite, [0.0005, 0.9995])
    if not high - low > 1e-9 * max(1.0, abs(low), abs(high)):
        return None
    counts, edges = np.histogram(np.clip(finite, low, high), _N_BINS, (low, high))
    weight = counts / counts.sum()
    centre = (edges[1:] + edges[:-1]) / 2
    upper = (centre > centre[_otsu(weight, centre)]).astype(np.float64)
    # A mode narrower than a bin is an artefact of the histogram.
    min_sd = (high - low) / _N_BINS
    shares = means = sds = np.zeros(2)
    for _ in range(_N_ITERATIONS):
        belongs = np.stack([1 - upper, upper]) * weight
        shares = belongs.sum(axis=1)
        if shares.min() < 1e-6:
            return None
        means = belongs @ centre / shares
        variance = (belongs * (centre - means[:, None]) ** 2).sum(axis=1) / shares
        sds = np.sqrt(variance + min_sd**2)
        log_density = (
            np.log(shares / sds)[:, None] - 0.5 * ((centre - means[:, None]) / sds[:, None]) ** 2
        )
        updated = 1 / (1 + np.exp(np.clip(log_density[0] - log_density[1], -60, 60)))
        if np.abs(updated - upper).max() < 1e-6:
            break
        upper = updated
    if means[1] < means[0]:
        means, sds, shares = means[::-1], sds[::-1], shares[::-1]
    return TwoModes(
        means=(float(means[0]), float(means[1])),
        sds=(float(sds[0]), float(sds[1])),
        weights=(float(shares[0]), float(shares[1])),
        threshold=_crossing(means, sds, shares),
    )


def _otsu(weight: Values, centre: Values) -> int:
    """Last bin of the lower class for the greatest variance between two classes."""
    below = np.cumsum(weight)
    first_moment = np.cumsum(weight * centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (first_moment[-1] * below - first_moment) ** 2 / (below * (1 - below))
    between[~np.isfinite(between)] = -1.0
    return int(np.argmax(between[:-1]))


def _crossing(means: Values, sds: Values, shares: Values) -> float:
    """Point between the means where both Gaussians, weighted, are equally high."""
    grid = np.linspace(means[0], means[1], 501)
    log_density = (
        np.log(shares / sds)[:, None] - 0.5 * ((grid - means[:, None]) / sds[:, None]) ** 2
    )
    return float(grid[int(np.argmin(np.abs(log_density[0] - log_density[1])))])
