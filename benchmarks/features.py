"""Features for sleep scoring of a whole day: eight regions, 24 hours at 1 kHz, in hours.

Ours is the whole step, hour by hour with its halo, from int16 made as it is read, all columns.
The peer gives a dozen features of each region from the same samples with SciPy and NumPy, as
scripts do; it gets an array in memory and works on a stretch of it, and its time is taken to the
day. Both see the same samples in one run, and processor time is told beside time by the clock.

    python benchmarks/features.py [--hours 24] [--peer-minutes 10]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy import signal, stats

from wakeful.model.arrays import Lfp
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps.sleep_features import HALO_S, Inputs, Params, compute

RATE_HZ = 1000.0
EPOCH_S = 4.0
N_REGIONS = 8
N_EPOCH = int(EPOCH_S * RATE_HZ)
_PATTERN = 1 << 22
BANDS_HZ = ((1, 4), (6, 9), (10, 15), (15, 30), (30, 60), (60, 100))


class MadeSource:
    """A day of samples that repeats after 70 minutes, made when read: no memory, no disk."""

    def __init__(self, hours: float) -> None:
        rng = np.random.default_rng(0)
        self._pattern = np.empty((N_REGIONS, _PATTERN), np.int16)
        for row in self._pattern:
            steps = rng.integers(-30, 31, _PATTERN, np.int16)
            row[:] = np.cumsum(steps, dtype=np.int32) % 4000 - 2000
        self.channels = tuple(
            Channel(name=f"c{i}", region=f"R{i}", gain_uv=0.1) for i in range(N_REGIONS)
        )
        self.spans = (Span(0.0, int(hours * 3600 * RATE_HZ), RATE_HZ, 0),)
        self.dtype = np.dtype(np.int16)

    def read(self, first_sample, out, rows=None) -> None:
        """See `ArraySource.read`."""
        wanted = range(N_REGIONS) if rows is None else rows
        n, done = out.shape[1], 0
        while done < n:
            at = (first_sample + done) % _PATTERN
            stop = min(_PATTERN, at + n - done)
            for place, row in zip(out, wanted, strict=True):
                place[done : done + stop - at] = self._pattern[row, at:stop]
            done += stop - at


def ours(source, hours):
    """All features, an hour at a time as the pipeline does; (n_epochs, n_features)."""
    session = Session(
        name="benchmark",
        subject=Subject(identifier="M1"),
        start_utc=None,
        duration_s=hours * 3600.0,
    )
    n_epochs, n_features = 0, 0
    for hour in range(int(np.ceil(hours))):
        block = Interval(hour * 3600.0, min((hour + 1) * 3600.0, hours * 3600.0))
        inputs = Inputs(lfp=Lfp(source, RATE_HZ), block=block, session=session)
        found = compute(inputs, Params()).sleep_features
        n_epochs, n_features = n_epochs + found.n_rows, found.values.shape[1]
    return n_epochs, n_features


def peer(samples_uv):
    """A dozen features of each region and epoch; (n_regions, n_epochs, n_features)."""
    epochs = samples_uv.reshape(N_REGIONS, -1, N_EPOCH)
    frequency_hz, psd = signal.welch(epochs, RATE_HZ, "hann", N_EPOCH // 2)
    powers = [
        np.trapezoid(psd[..., inside], frequency_hz[inside], axis=-1)
        for low, high in BANDS_HZ
        for inside in [(frequency_hz >= low) & (frequency_hz <= high)]
    ]
    slope = np.diff(epochs)
    share = psd / psd.sum(axis=-1, keepdims=True)
    return np.stack(
        [
            *powers,
            np.sqrt(slope.var(axis=-1) / epochs.var(axis=-1)),
            np.abs(slope).mean(axis=-1),
            stats.iqr(epochs, axis=-1),
            stats.skew(epochs, axis=-1),
            stats.kurtosis(epochs, axis=-1),
            -(share * np.log(share)).sum(axis=-1),
        ],
        axis=-1,
    )


def timed(run):
    """What it gave, seconds by the clock, seconds of the processors."""
    clock, processor = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - clock, time.process_time() - processor


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--peer-minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    hours, minutes = arguments.hours, arguments.peer_minutes
    source = MadeSource(hours)
    ours(source, 0.02)  # compiles
    before_mb = peak_mb()
    ours(source, 1.0)
    hour_mb = peak_mb()
    (n_epochs, n_features), clock_s, processor_s = timed(lambda: ours(source, hours))
    day_mb = peak_mb()
    samples_uv = Lfp(source, RATE_HZ).read_uv(0, int(minutes * 60 * RATE_HZ))
    theirs, peer_clock_s, peer_processor_s = timed(lambda: peer(samples_uv))
    scale = hours * 60 / minutes
    n_ours, n_peer = n_features, theirs.shape[-1] * N_REGIONS
    print(f"{N_REGIONS} regions x {hours:g} h at 1 kHz, epochs of 4 s: {n_epochs} epochs")
    print(f"{'':34}{'features':>9}{'clock':>10}{'processor':>11}")
    print(f"{'wakeful, sleep_features':34}{n_ours:9}{clock_s:8.1f} s{processor_s:9.1f} s")
    print(
        f"{'SciPy and NumPy, a dozen a region':34}{n_peer:9}{peer_clock_s * scale:8.1f} s"
        f"{peer_processor_s * scale:9.1f} s (from {minutes:g} min)"
    )
    ratio = peer_processor_s * scale / processor_s
    each = ratio * n_ours / n_peer
    print(f"processor time: peer / ours = {ratio:.2f}; for each feature {each:.1f}")
    print(
        f"memory: {before_mb:.0f} MB before, {hour_mb:.0f} MB after an hour, {day_mb:.0f} MB after "
        f"{hours:g} h"
    )
    print(f"(an hour is computed with {HALO_S:g} s of its neighbours on either side)")


if __name__ == "__main__":
    main()
