"""Spectra of an hour of LFP, beside what SciPy (and MNE, where it is installed) offers.

64 channels at 1 kHz, epochs of 4 s; multitaper with the step's own tapers, and one Hann window.
Ours is the whole spectrogram step: int16 from a memory map, spectra, median per region, in bounded
memory. The peers get the samples as an array in memory, in the type they prefer, and give the
spectra alone. Contenders alternate. Cost grows with the length alone, so that what a few minutes
take tells what a day takes: that is printed, with the ratios that are to hold (MNE's multitaper 8
times ours, SciPy's spectrogram 4 times). Processor time is printed beside the clock's, which other
work on the machine spoils.

    python benchmarks/spectra.py [--minutes 10] [--runs 3]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import fft, signal
from scipy.signal.windows import dpss

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.steps.spectrogram import Inputs, Params, compute

PARAMS = Params()
"""What the step does where nobody changes it: every contender does the same."""
N_CHANNELS = 64
RATE_HZ = 1000.0
EPOCH_S = 4.0
GOALS = {"MNE, multitaper": 8.0, "SciPy spectrogram, Hann": 4.0}
"""How many times as long as ours they are to take."""
N_EPOCH = int(EPOCH_S * RATE_HZ)


def make_lfp(folder: Path, seconds: int):
    n_samples = int(seconds * RATE_HZ)
    path = folder / "lfp.npy"
    stored = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.int16, shape=(N_CHANNELS, n_samples)
    )
    rng = np.random.default_rng(0)
    for row in stored:
        row[:] = np.cumsum(rng.integers(-30, 31, n_samples)) % 4000 - 2000
    stored.flush()
    samples = np.load(path, mmap_mode="r")
    channels = tuple(
        Channel(name=f"c{i}", region=f"R{i // 16}", gain_uv=0.1) for i in range(N_CHANNELS)
    )
    return Lfp(MemorySource(samples, channels, (Span(0.0, n_samples, RATE_HZ, 0),)), RATE_HZ)


def ours(lfp, seconds, method):
    session = Session(
        name="benchmark",
        subject=Subject(identifier="M1"),
        start_utc=None,
        duration_s=float(seconds),
    )
    inputs = Inputs(lfp=lfp, block=Interval(0.0, float(seconds)), session=session)
    return compute(inputs, Params(method=method)).spectrogram.power_uv2_per_hz.shape


def scipy_multitaper(epochs):
    half_bandwidth = PARAMS.half_bandwidth_hz * N_EPOCH / RATE_HZ
    tapers = dpss(N_EPOCH, half_bandwidth, PARAMS.n_tapers, norm=2)
    out = []
    for channel in epochs:
        centred = channel - channel.mean(axis=1, keepdims=True)
        spectra = fft.rfft(centred[:, None] * tapers, workers=2)
        out.append((np.abs(spectra) ** 2).mean(axis=1) * 2 / RATE_HZ)
    return np.stack(out).shape


def scipy_spectrogram(epochs):
    # A minute at a time: of ten minutes in one go its arrays fall out of the caches.
    shapes = [
        signal.spectrogram(part.reshape(len(part), -1), RATE_HZ, "hann", N_EPOCH, 0)[2].shape
        for part in np.array_split(epochs, epochs.shape[1] // 15, axis=1)
    ]
    return len(shapes)


def mne_multitaper(epochs):
    from mne.time_frequency import psd_array_multitaper

    bandwidth = 2 * PARAMS.half_bandwidth_hz
    # A minute at a time, as above; its processes (n_jobs=2) do not pay for so little.
    shapes = [
        psd_array_multitaper(
            part, RATE_HZ, bandwidth=bandwidth, normalization="full", verbose="error"
        )[0].shape
        for part in np.array_split(epochs, epochs.shape[1] // 15, axis=1)
    ]
    return len(shapes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        lfp = make_lfp(Path(folder), seconds)
        for method in ("multitaper", "hann"):
            ours(lfp, 60, method)  # compiles
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ours(lfp, seconds, "multitaper")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        samples = lfp.read_uv(0, int(seconds * RATE_HZ))
        epochs = samples.reshape(N_CHANNELS, -1, N_EPOCH).astype(np.float64)
        del samples
        contenders = {
            "wakeful, multitaper": lambda: ours(lfp, seconds, "multitaper"),
            "SciPy, multitaper": lambda: scipy_multitaper(epochs),
            "MNE, multitaper": lambda: mne_multitaper(epochs),
            "wakeful, Hann": lambda: ours(lfp, seconds, "hann"),
            "SciPy spectrogram, Hann": lambda: scipy_spectrogram(epochs),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for number in range(arguments.runs):
            for name, run in contenders.items():
                start, processor = time.perf_counter(), time.process_time()
                try:
                    run()
                except ModuleNotFoundError as error:
                    if number == 0:
                        print(f"{name} is left out: {error}")
                    continue
                taken = time.perf_counter() - start, time.process_time() - processor
                times[name].append(taken)
    middle = {
        name: tuple(statistics.median(column) for column in zip(*values, strict=True))
        for name, values in times.items()
        if values
    }
    print(f"\n{N_CHANNELS} channels x {arguments.minutes} min at 1 kHz, epochs of 4 s")
    print(f"{'':26}{'s for 24 h':>12}{'processor':>12}{'x ours':>10}{'processor':>12}")
    per_day = 24 * 60 / arguments.minutes
    for name, (wall_s, processor_s) in middle.items():
        own_wall_s, own_processor_s = middle[
            "wakeful, multitaper" if "multitaper" in name else "wakeful, Hann"
        ]
        ratio, of_processor = wall_s / own_wall_s, processor_s / own_processor_s
        goal = GOALS.get(name)
        verdict = f"   (to be {goal:g})" if goal else ""
        print(
            f"{name:26}{wall_s * per_day:12.1f}{processor_s * per_day:12.1f}{ratio:10.1f}"
            f"{of_processor:12.1f}{verdict}"
        )
    print(f"memory: {before / 1024:.0f} MB after a minute, {peak / 1024:.0f} MB after all of it")
    print("(the memory map's own pages count in both)")


if __name__ == "__main__":
    main()
