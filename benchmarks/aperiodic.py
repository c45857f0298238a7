"""Fits of power spectra, beside specparam: how long they take and how far they are off.

Spectra are simulated by the model that both fit: an aperiodic part, up to three peaks, and the
scatter of a mean of periodograms. Both fit 2 to 45 Hz with the same limits; specparam one spectrum
after the other, as its users do. Times are processor time, so that ours is not flattered by its
threads. Contenders alternate.

    python benchmarks/aperiodic.py [--spectra 200] [--runs 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np

from wakeful.signal.aperiodic import FitPlan, fit_spectra

FREQUENCY_HZ = np.arange(0, 100.1, 0.25)


def simulate(n, knee, observations, seed=0):
    rng = np.random.default_rng(seed)
    power, truth = [], []
    for _ in range(n):
        exponent, knee_hz = rng.uniform(0.5, 2.5), rng.uniform(4, 15) if knee else 0.0
        peaks = []
        for _ in range(rng.integers(0, 4)):
            centre = rng.uniform(4, 40)
            if all(abs(centre - other[0]) > 5 for other in peaks):
                peaks.append((centre, rng.uniform(0.3, 1.2), rng.uniform(0.8, 2)))
        with np.errstate(divide="ignore"):
            level = rng.uniform(0, 3) - np.log10(knee_hz**exponent + FREQUENCY_HZ**exponent)
        for centre, height, sd in peaks:
            level = level + height * np.exp(-0.5 * ((FREQUENCY_HZ - centre) / sd) ** 2)
        power.append(10**level * rng.gamma(observations, 1 / observations, len(FREQUENCY_HZ)))
        truth.append((exponent, [peak[0] for peak in peaks]))
    return np.array(power), truth


def ours(power, knee):
    fits = fit_spectra(power, FREQUENCY_HZ, FitPlan(knee=knee))
    return [(x, hz[~np.isnan(hz)]) for x, hz in zip(fits.exponent, fits.peak_hz, strict=True)]


def theirs(power, knee):
    from specparam import SpectralModel

    found = []
    for spectrum in power:
        model = SpectralModel(
            peak_width_limits=(1, 8),
            max_n_peaks=6,
            min_peak_height=0.1,
            aperiodic_mode="knee" if knee else "fixed",
            verbose=False,
        )
        model.fit(FREQUENCY_HZ, spectrum, [2, 45])
        if not model.results.has_model:  # it gives up on some spectra
            found.append((np.nan, np.empty(0)))
            continue
        centres = np.atleast_2d(model.get_params("peak"))[:, 0]
        found.append((model.get_params("aperiodic")[-1], centres[~np.isnan(centres)]))
    return found


def describe(found, truth):
    off = [abs(x - exponent) for (x, _), (exponent, _) in zip(found, truth, strict=True)]
    apart, missed, extra, planted = [], 0, 0, 0
    for (_, centres), (_, true_centres) in zip(found, truth, strict=True):
        taken = 0
        for centre in true_centres:
            planted += 1
            distance = np.abs(centres - centre)
            if len(distance) and distance.min() < 2:
                apart.append(distance.min())
                taken += 1
            else:
                missed += 1
        extra += max(0, len(centres) - taken)
    failed = int(np.isnan(off).sum())
    return (
        f"exponent off by {np.nanmedian(off):.3f} (median), {np.nanmean(off):.3f} (mean); peaks "
        f"{np.median(apart):.3f} Hz; {missed} of {planted} missed, {extra} made up"
        + (f"; {failed} not fitted" if failed else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spectra", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for knee in (False, True):
        ours(simulate(2, knee, 15)[0], knee)  # compiles
        for observations in (15, 45):
            power, truth = simulate(arguments.spectra, knee, observations)
            times: dict[str, list[float]] = {"wakeful": [], "specparam": []}
            found = {}
            for _ in range(arguments.runs):
                for name, run in (("wakeful", ours), ("specparam", theirs)):
                    start = time.process_time()
                    try:
                        found[name] = run(power, knee)
                    except ModuleNotFoundError as error:
                        print(f"{name} is left out: {error}")
                        continue
                    times[name].append((time.process_time() - start) / len(power))
            model = "knee" if knee else "fixed"
            print(f"\n{len(power)} spectra, mean of {observations} periodograms, {model}")
            middle = {name: statistics.median(v) for name, v in times.items() if v}
            for name, value in middle.items():
                ratio = value / middle["wakeful"]
                print(f"{name:10}{value * 1e3:8.2f} ms each{ratio:7.1f} x ours; ", end="")
                print(describe(found[name], truth))


if __name__ == "__main__":
    main()
