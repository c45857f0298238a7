"""Conversion of a raw recording, beside its peers, in one run.

64 channels at 32 kHz, int16, in .ncs files, brought to 1 kHz without aliasing; reading included:

    wakeful                 read_recording + decimate_source, two threads
    wakeful step            the convert step with the LFP-derived EMG, into the store's files
    soxr                    NumPy reads the records, soxr HQ resamples, two threads
    spikeinterface          read_neuralynx + decimate(antialias=True), n_jobs=2
    wakeful, no reading     from samples that already lie in memory
    soxr, no reading        the same

Every measurement is a process of its own that first warms up on a short recording; contenders
alternate. All files have been read once before, so that the disk is not what is measured.

    python benchmarks/convert.py [--seconds 60] [--runs 5] [--folder FOLDER] [--quick]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

N_CHANNELS = 64
RATE_HZ = 32_000
FACTOR = 32
N_THREADS = 2
RECORD = np.dtype(
    [("tick", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("n", "<u4"), ("samples", "<i2", 512)]
)
HEADER_BYTES = 16_384


def write_recording(folder: Path, seconds: int) -> Path:
    """A Neuralynx folder of band-limited noise; kept where it is already there."""
    done = folder / "complete"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pattern = np.cumsum(rng.integers(-300, 301, 512 * 640)) % 20_000 - 10_000
    pattern = pattern.reshape(-1, 512).astype(np.int16)
    n_records = seconds * RATE_HZ // 512
    for channel in range(N_CHANNELS):
        records = np.zeros(n_records, RECORD)
        records["tick"] = 1_700_000_000_000_000 + np.arange(n_records) * 512 * 1_000_000 // RATE_HZ
        records["channel"], records["rate"], records["n"] = channel, RATE_HZ, 512
        records["samples"] = pattern[(np.arange(n_records) + 7 * channel) % len(pattern)]
        header = (
            "######## Neuralynx Data File Header\r\n"
            "-FileType NCS\r\n-FileVersion 3.3.0\r\n-RecordSize 1044\r\n"
            "-TimeCreated 2023/11/14 22:13:20\r\n"
            f"-AcqEntName CSC{channel + 1}\r\n-SamplingFrequency {RATE_HZ}\r\n"
            "-ADMaxValue 32767\r\n-ADBitVolts 0.000000061037\r\n-InputRange 2000\r\n"
            f"-NumADChannels 1\r\n-ADChannel {channel}\r\n-InputInverted False\r\n"
            "-DspLowCutFilterEnabled False\r\n-DspHighCutFilterEnabled False\r\n"
        )
        with (folder / f"CSC{channel + 1}.ncs").open("wb") as file:
            file.write(header.encode("latin-1").ljust(HEADER_BYTES, b"\0"))
            records.tofile(file)
    done.touch()
    return folder


def run_wakeful(folder: Path):
    from wakeful.io.recording import read_recording
    from wakeful.model.arrays import MemorySink
    from wakeful.model.time import Interval
    from wakeful.signal.streaming import decimate_source

    recording = read_recording(folder)
    (stream,) = recording.description.streams
    result = decimate_source(
        recording.open(stream.name),
        Interval(0.0, stream.duration_s),
        FACTOR,
        MemorySink(),
        n_threads=N_THREADS,
    )
    return result.spans[0].n_samples, len(result.channels)


def run_wakeful_step(folder: Path):
    from wakeful.io.lfp_store import FileSink
    from wakeful.io.recording import read_recording
    from wakeful.model.time import Interval
    from wakeful.steps.convert import Inputs, Params, compute

    recording = read_recording(folder)
    (stream,) = recording.description.streams
    block = Interval(0.0, stream.duration_s)
    with tempfile.TemporaryDirectory() as store:
        sink = FileSink(Path(store), "lfp", block)
        raw = recording.open(stream.name)
        result = compute(Inputs(raw=raw, block=block, lfp_sink=sink), Params())
    return result.lfp.spans[0].n_samples, len(result.lfp.channels)


def read_samples(path: Path):
    return np.fromfile(path, RECORD, offset=HEADER_BYTES)["samples"].reshape(-1)


def resample_soxr(samples):
    import soxr

    return soxr.resample(samples, RATE_HZ, RATE_HZ // FACTOR, quality="HQ")


def files_of(folder: Path):
    return sorted(folder.glob("*.ncs"))


def run_soxr(folder: Path):
    with ThreadPoolExecutor(N_THREADS) as pool:
        out = list(pool.map(lambda path: resample_soxr(read_samples(path)), files_of(folder)))
    return len(out[0]), len(out)


def run_soxr_no_reading(samples):
    with ThreadPoolExecutor(N_THREADS) as pool:
        out = list(pool.map(resample_soxr, samples))
    return len(out[0]), len(out)


def run_wakeful_no_reading(samples):
    from wakeful.model.arrays import MemorySink, MemorySource
    from wakeful.model.subject import Channel
    from wakeful.model.time import Interval, Span
    from wakeful.signal.streaming import decimate_source

    n_channels, n_samples = samples.shape
    channels = tuple(Channel(name=f"CSC{i + 1}") for i in range(n_channels))
    source = MemorySource(samples, channels, (Span(0.0, n_samples, float(RATE_HZ), 0),))
    result = decimate_source(
        source, Interval(0.0, n_samples / RATE_HZ), FACTOR, MemorySink(), n_threads=N_THREADS
    )
    return result.spans[0].n_samples, len(result.channels)


def run_spikeinterface(folder: Path):
    import spikeinterface.extractors as extractors
    import spikeinterface.preprocessing as preprocessing

    recording = extractors.read_neuralynx(folder)
    thin = preprocessing.decimate(recording, FACTOR, antialias=True)
    saved = thin.save(
        format="memory", n_jobs=N_THREADS, chunk_duration="1s", progress_bar=False, verbose=False
    )
    return saved.get_num_samples(), saved.get_num_channels()


CONTENDERS = {
    "wakeful": run_wakeful,
    "wakeful step": run_wakeful_step,
    "soxr": run_soxr,
    "spikeinterface": run_spikeinterface,
    "wakeful, no reading": run_wakeful_no_reading,
    "soxr, no reading": run_soxr_no_reading,
}


def measure(name: str, folder: Path, warm: Path) -> None:
    """In a process of its own: one warm run on little, one that counts."""
    run = CONTENDERS[name]
    given = warm, folder
    if name.endswith("no reading"):
        given = (np.stack([read_samples(p) for p in files_of(f)]) for f in given)
    for number, source in enumerate(given):
        start, cpu_start = time.perf_counter(), cpu_seconds()
        n_samples, n_channels = run(source)
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu_start
        if number:
            # Of the children of SpikeInterface's pool the largest is counted, once.
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            print(
                json.dumps(
                    {
                        "seconds": seconds,
                        "cpu_seconds": cpu,
                        "peak_mb": (own + child) / 1024,
                        "shape": [n_channels, n_samples],
                    }
                )
            )


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def measure_apart(name: str, folder: Path, warm: Path) -> dict:
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--warm", str(warm)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    if result["shape"][0] != N_CHANNELS:
        raise SystemExit(f"{name} gave {result['shape']}")
    return result


def available(name: str) -> bool:
    module = name.partition(",")[0].partition(" ")[0]
    try:
        __import__(module)
    except ImportError:
        print(f"{name} is left out: install the extra `bench` to compare with it")
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="without the 10 minute recording")
    parser.add_argument("--measure")
    parser.add_argument("--warm", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.folder, arguments.warm)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.folder or Path(temporary)
        warm = write_recording(root / "warm", 2)
        folder = write_recording(root / f"{arguments.seconds}s", arguments.seconds)
        names = [name for name in CONTENDERS if available(name)]
        results: dict[str, list[dict]] = {name: [] for name in names}
        for _ in range(arguments.runs):
            for name in names:
                results[name].append(measure_apart(name, folder, warm))
        report(results, arguments.seconds)
        if not arguments.quick:
            memory_over_length(root, warm, arguments.seconds)


def report(results: dict[str, list[dict]], seconds: int) -> None:
    n_bytes = N_CHANNELS * RATE_HZ * seconds * 2
    middle, cpu = (
        {name: statistics.median(r[key] for r in runs) for name, runs in results.items()}
        for key in ("seconds", "cpu_seconds")
    )
    print(f"\n{N_CHANNELS} channels x {RATE_HZ} Hz x {seconds} s to 1 kHz, {n_bytes / 1e6:.0f} MB")
    print("cpu: processor time, which other work on the machine hardly changes")
    columns = ("ms", "cpu ms", "x real time", "GB/s", "peak MB", "to ours", "cpu to ours")
    print(f"{'':20}" + "".join(f"{column:>13}" for column in columns))
    for name, runs in results.items():
        ours = "wakeful, no reading" if name.endswith("no reading") else "wakeful"
        values = (
            f"{middle[name] * 1e3:.0f}",
            f"{cpu[name] * 1e3:.0f}",
            f"{seconds / middle[name]:.0f}",
            f"{n_bytes / middle[name] / 1e9:.2f}",
            f"{max(r['peak_mb'] for r in runs):.0f}",
            f"{middle[name] / middle[ours]:.1f} x",
            f"{cpu[name] / cpu[ours]:.1f} x",
        )
        print(f"{name:20}" + "".join(f"{value:>13}" for value in values))


def memory_over_length(root: Path, warm: Path, seconds: int) -> None:
    """Ten times the length must cost no more memory."""
    long = write_recording(root / f"{seconds * 10}s", seconds * 10)
    short = root / f"{seconds}s"
    print("\nthe convert step, by length")
    for folder, length in ((short, seconds), (long, seconds * 10)):
        result = measure_apart("wakeful step", folder, warm)
        print(f"{length:6} s {result['seconds']:9.2f} s {result['peak_mb']:9.0f} MB at the peak")


if __name__ == "__main__":
    main()
