"""Conversion of a raw recording, beside its peers, in one run.

64 channels at 32 kHz, int16, in .ncs files, brought to 1 kHz without aliasing; reading included:

    wakeful                 read_recording + decimate_source into memory, two threads
    wakeful, opened         the same without opening, which looks at time stamps
    wakeful step            the convert step with the LFP-derived EMG, into the store's files
    soxr                    NumPy reads the records, soxr HQ resamples int16, two threads
    soxr MQ                 the same at medium quality
    spikeinterface          read_neuralynx + decimate(antialias=True) into memory, n_jobs=2
    spikeinterface threads  the same with its pool of threads in place of processes
    spikeinterface to disk  the same with processes, into its own binary folder
    wakeful, no reading     from samples that already lie in memory
    soxr, no reading        the same

What was chosen, and why it is fair:

- All get the same files and give 1,000 samples/s of int16 for 64 channels; two workers each.
- SpikeInterface runs with its own defaults (pool of processes, chunks of one second, one thread a
  worker) but for n_jobs=2: its default of 1 would leave a processor idle. Making its pool is part
  of every `save`, as it is in a lab. Into memory is compared with into memory ("wakeful"), to disk
  with to disk ("wakeful step", which also reads the EMG). Its pool of threads is timed as well: the
  faster of the two is the one to compare with.
- soxr gets whole channels at once and all of the memory it wants.
- `--quality` measures each filter's response. SpikeInterface's antialias filter is 6 dB down at the
  new Nyquist, where ours is 80 and more: it does less. soxr HQ does more than ours (140 dB), so
  that its medium quality, the nearest that does not do less, is timed as well.
- Every measurement is a process of its own that first warms up on a recording of two seconds
  (imports, compiled kernels, plans); contenders alternate, so that what else the machine does falls
  on all of them. "cpu" is processor time, which other work changes less than the clock.
- All files have been read once before, so that the disk is not what is measured; `--cold` does
  that, beside a plain sequential reading of the same files by two threads.

`--long` shows the step's memory for a minute and for two hours. The two hours are 64 names (hard
links) of one file of 0.47 GB, so that 30 GB of records go through the reader and the kernels while
the disk needs room for one channel; a process's memory does not know the difference.

    python benchmarks/convert.py [--seconds 60] [--runs 5] [--folder FOLDER] [--only NAME ...]
                                 [--quality] [--cold] [--long]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
    for channel in range(N_CHANNELS):
        write_channel(folder / f"CSC{channel + 1}.ncs", seconds, channel, f"CSC{channel + 1}")
    done.touch()
    return folder


def write_linked_recording(folder: Path, seconds: int) -> Path:
    """The same length and number of channels from a single file under 64 names."""
    folder.mkdir(parents=True)
    first = folder / "CSC1.ncs"
    write_channel(first, seconds, 0, "")  # without a name in the header, files give the names
    for channel in range(1, N_CHANNELS):
        (folder / f"CSC{channel + 1}.ncs").hardlink_to(first)
    return folder


def write_channel(path: Path, seconds: int, channel: int, name: str) -> None:
    rng = np.random.default_rng(0)
    pattern = np.cumsum(rng.integers(-300, 301, 512 * 640)) % 20_000 - 10_000
    pattern = pattern.reshape(-1, 512).astype(np.int16)
    named = f"-AcqEntName {name}\r\n" if name else ""
    header = (
        "######## Neuralynx Data File Header\r\n"
        "-FileType NCS\r\n-FileVersion 3.3.0\r\n-RecordSize 1044\r\n"
        "-TimeCreated 2023/11/14 22:13:20\r\n"
        f"{named}-SamplingFrequency {RATE_HZ}\r\n"
        "-ADMaxValue 32767\r\n-ADBitVolts 0.000000061037\r\n-InputRange 2000\r\n"
        f"-NumADChannels 1\r\n-ADChannel {channel}\r\n-InputInverted False\r\n"
        "-DspLowCutFilterEnabled False\r\n-DspHighCutFilterEnabled False\r\n"
    )
    n_records = seconds * RATE_HZ // 512
    with path.open("wb") as file:
        file.write(header.encode("latin-1").ljust(HEADER_BYTES, b"\0"))
        for first in range(0, n_records, 100_000):
            number = np.arange(first, min(first + 100_000, n_records))
            records = np.zeros(len(number), RECORD)
            records["tick"] = 1_700_000_000_000_000 + number * 512 * 1_000_000 // RATE_HZ
            records["channel"], records["rate"], records["n"] = channel, RATE_HZ, 512
            records["samples"] = pattern[(number + 7 * channel) % len(pattern)]
            records.tofile(file)


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


def run_wakeful_opened(source):
    result = convert_opened(source)
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


def resample_soxr(samples, quality="HQ"):
    import soxr

    return soxr.resample(samples, RATE_HZ, RATE_HZ // FACTOR, quality=quality)


def files_of(folder: Path):
    return sorted(folder.glob("*.ncs"))


def run_soxr(folder: Path, quality="HQ"):
    def convert(path: Path):
        return resample_soxr(read_samples(path), quality)

    with ThreadPoolExecutor(N_THREADS) as pool:
        out = list(pool.map(convert, files_of(folder)))
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


def run_spikeinterface(folder: Path, pool="process", where=None):
    import spikeinterface.extractors as extractors
    import spikeinterface.preprocessing as preprocessing

    recording = extractors.read_neuralynx(folder)
    thin = preprocessing.decimate(recording, FACTOR, antialias=True)
    kept = {"format": "memory"} if where is None else {"format": "binary", "folder": where}
    saved = thin.save(
        **kept,
        pool_engine=pool,
        n_jobs=N_THREADS,
        chunk_duration="1s",
        progress_bar=False,
        verbose=False,
    )
    return saved.get_num_samples(), saved.get_num_channels()


def run_spikeinterface_to_disk(folder: Path):
    with tempfile.TemporaryDirectory() as place:
        return run_spikeinterface(folder, where=Path(place) / "saved")


CONTENDERS = {
    "wakeful": run_wakeful,
    "wakeful, opened": run_wakeful_opened,
    "wakeful step": run_wakeful_step,
    "soxr": run_soxr,
    "soxr MQ": partial(run_soxr, quality="MQ"),
    "spikeinterface": run_spikeinterface,
    "spikeinterface threads": partial(run_spikeinterface, pool="thread"),
    "spikeinterface to disk": run_spikeinterface_to_disk,
    "wakeful, no reading": run_wakeful_no_reading,
    "soxr, no reading": run_soxr_no_reading,
}
BESIDE = {
    "wakeful step": "wakeful step",
    "spikeinterface to disk": "wakeful step",
    "wakeful, no reading": "wakeful, no reading",
    "soxr, no reading": "wakeful, no reading",
}
"""Which of ours a contender is compared with; else "wakeful"."""


def measure(name: str, folder: Path, warm: Path) -> None:
    """In a process of its own: one warm run on little, one that counts."""
    run = CONTENDERS[name]
    given = warm, folder
    if name.endswith("opened"):
        given = [open_source(f) for f in given]
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
        print(f"{name} is left out: `make bench` has an environment with it")
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where recordings are made, and kept")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--quality", action="store_true", help="the filters' responses")
    parser.add_argument("--cold", action="store_true", help="from the disk: 10 minutes or more")
    parser.add_argument("--long", action="store_true", help="memory for a minute and two hours")
    parser.add_argument("--measure")
    parser.add_argument("--warm", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.folder, arguments.warm)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.folder or Path(temporary)
        warm = write_recording(root / "warm", 2)
        if arguments.quality:
            report_quality()
        if arguments.cold:
            report_cold(root, warm, arguments.runs, max(600, arguments.seconds))
        if arguments.long:
            report_memory(root, warm)
        if arguments.quality or arguments.cold or arguments.long:
            return
        folder = write_recording(root / f"{arguments.seconds}s", arguments.seconds)
        names = [name for name in arguments.only if available(name)]
        results: dict[str, list[dict]] = {name: [] for name in names}
        for _ in range(arguments.runs):
            for name in names:
                results[name].append(measure_apart(name, folder, warm))
        report(results, arguments.seconds)


def report(results: dict[str, list[dict]], seconds: int) -> None:
    n_bytes = N_CHANNELS * RATE_HZ * seconds * 2
    middle, cpu = (
        {name: statistics.median(r[key] for r in runs) for name, runs in results.items()}
        for key in ("seconds", "cpu_seconds")
    )
    print(f"\n{N_CHANNELS} channels x {RATE_HZ} Hz x {seconds} s to 1 kHz, {n_bytes / 1e6:.0f} MB")
    print("cpu: processor time, which other work on the machine hardly changes")
    columns = ("ms", "cpu ms", "x real time", "GB/s", "peak MB", "to ours", "cpu to ours")
    print(f"{'':23}" + "".join(f"{column:>13}" for column in columns))
    for name, runs in results.items():
        ours = BESIDE.get(name, "wakeful")
        ratios = ("", "")
        if ours in middle:
            ratios = (f"{middle[name] / middle[ours]:.1f} x", f"{cpu[name] / cpu[ours]:.1f} x")
        values = (
            f"{middle[name] * 1e3:.0f}",
            f"{cpu[name] * 1e3:.0f}",
            f"{seconds / middle[name]:.0f}",
            f"{n_bytes / middle[name] / 1e9:.2f}",
            f"{max(r['peak_mb'] for r in runs):.0f}",
            *ratios,
        )
        print(f"{name:23}" + "".join(f"{value:>13}" for value in values))


def report_quality() -> None:
    """The response of each filter, from what it makes of impulses.

    Channel c holds an impulse c samples after a multiple of the factor: the outputs of all channels
    together are the filter's impulse response at the raw rate.
    """
    n_samples, middle = 256 * FACTOR, 128 * FACTOR
    impulses = np.zeros((FACTOR, n_samples), np.float32)
    impulses[np.arange(FACTOR), middle + np.arange(FACTOR)] = 1.0
    print(f"\n{'response':16}{'ripple to 400 Hz':>20}{'at 500 Hz':>14}{'from 500 Hz on':>18}")
    for name, decimate in QUALITY.items():
        if not available(name):
            continue
        outputs = np.asarray(decimate(impulses), np.float64)
        response = np.fft.rfft(outputs[::-1].T.reshape(-1), 1 << 18)
        gain_db = 20 * np.log10(np.maximum(np.abs(response), 1e-12))
        frequency = np.arange(len(gain_db)) / (1 << 18) * RATE_HZ
        print(
            f"{name:16}{np.abs(gain_db[frequency <= 400]).max():17.4f} dB"
            f"{gain_db[np.searchsorted(frequency, 500)]:11.1f} dB"
            f"{gain_db[frequency >= 500].max():15.1f} dB"
        )


def quality_wakeful(impulses):
    from wakeful.signal.decimation import decimate_array

    return decimate_array(impulses, FACTOR)


def quality_soxr(impulses, quality="HQ"):
    return np.stack([resample_soxr(row, quality) for row in impulses])


def quality_spikeinterface(impulses):
    import spikeinterface.core as core
    import spikeinterface.preprocessing as preprocessing

    recording = core.NumpyRecording([impulses.T], RATE_HZ)
    return preprocessing.decimate(recording, FACTOR, antialias=True).get_traces().T


QUALITY = {
    "wakeful": quality_wakeful,
    "soxr": quality_soxr,
    "soxr MQ": partial(quality_soxr, quality="MQ"),
    "spikeinterface": quality_spikeinterface,
}


def report_cold(root: Path, warm: Path, runs: int, seconds: int) -> None:
    """Conversion from a disk that has to move, beside plain reading; in turns.

    Opening takes as long for a minute as for an hour: the longer, the less it counts.
    """
    folder = write_recording(root / f"{seconds}s", seconds)
    n_bytes = sum(path.stat().st_size for path in files_of(folder))
    names = ("read", "wakeful, opened before", "wakeful, opening too", "wakeful, from memory")
    rates: dict[str, list[float]] = {name: [] for name in names}
    convert_opened(open_source(warm))
    for _ in range(runs):
        forget(folder)
        rates["read"].append(n_bytes / timed(read_plainly, folder) / 1e9)
        source = open_source(folder)
        forget(folder)
        rates["wakeful, opened before"].append(n_bytes / timed(convert_opened, source) / 1e9)
        forget(folder)
        rates["wakeful, opening too"].append(n_bytes / timed(open_and_convert, folder) / 1e9)
        rates["wakeful, from memory"].append(n_bytes / timed(convert_opened, source) / 1e9)
    print(f"\nfrom the disk, {n_bytes / 1e9:.1f} GB in {N_CHANNELS} files")
    reading = statistics.median(rates["read"])
    for name, found in rates.items():
        middle = statistics.median(found)
        print(f"{name:26}{middle:8.2f} GB/s{middle / reading * 100:8.0f} % of reading")


def forget(folder: Path) -> None:
    """The system's memory of the files is dropped; other files keep theirs."""
    for path in files_of(folder):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def timed(work, given) -> float:
    start = time.perf_counter()
    work(given)
    return time.perf_counter() - start


def read_plainly(folder: Path) -> None:
    def read(path: Path) -> None:
        room = bytearray(1 << 20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(room):
                pass

    with ThreadPoolExecutor(N_THREADS) as pool:
        list(pool.map(read, files_of(folder)))


def open_source(folder: Path):
    from wakeful.io.recording import read_recording

    recording = read_recording(folder)
    (stream,) = recording.description.streams
    return recording.open(stream.name)


def open_and_convert(folder: Path) -> None:
    convert_opened(open_source(folder))


def convert_opened(source):
    from wakeful.model.arrays import MemorySink
    from wakeful.model.time import Interval
    from wakeful.signal.streaming import decimate_source

    everything = Interval(source.spans[0].start_s, source.spans[-1].stop_s)
    return decimate_source(source, everything, FACTOR, MemorySink(), n_threads=N_THREADS)


def report_memory(root: Path, warm: Path) -> None:
    """A hundred and twenty times the length must cost no more memory."""
    print("\nthe convert step, by length")
    with tempfile.TemporaryDirectory(dir=root) as place:
        for seconds in (60, 7200):
            folder = write_linked_recording(Path(place) / f"{seconds}s", seconds)
            result = measure_apart("wakeful step", folder, warm)
            print(f"{seconds:6} s {result['seconds']:9.2f} s {result['peak_mb']:9.0f} MB")


if __name__ == "__main__":
    main()
