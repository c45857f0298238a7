"""Stores of LFP, beside each other, in one run: how small, how fast.

int16, channels at 1 kHz, as one block of the library holds it:

    npy             the library's own form, (minute, channel, samples)
    packed          the same, packed by `wakeful compress`
    zarr            as `wakeful export zarr` writes: shards of 5 minutes, chunks of a minute
    hdf5 blosc      as `wakeful export nwb --compression blosc` writes
    hdf5 gzip       as `wakeful export nwb` writes (gzip 1, shuffled)

Times are processor time of this process and its threads, best of the runs; files have been read
once before. The signal is 1/f noise with a common part, in steps of 0.2 uV, or a stored block of
yours.

    python benchmarks/stores.py [--minutes 5] [--channels 64] [--runs 3] [--block FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from wakeful.io.lfp_compression import compress_lfp
from wakeful.io.lfp_store import FileSink, FileSource
from wakeful.io.store import digest_file
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span

RATE_HZ = 1000


def make_lfp(n_channels: int, n_samples: int) -> np.ndarray:
    """Pink noise of 150 uV RMS in steps of 0.2 uV, two thirds of it shared by all channels."""
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE_HZ), 0.5))
    # What the decimator leaves above 400 Hz is next to nothing.
    scale[int(0.8 * len(scale)) :] *= 1e-3

    def pink() -> np.ndarray:
        noise = np.fft.irfft(np.fft.rfft(rng.normal(size=n_samples)) * scale, n_samples)
        return noise / noise.std() * 150

    shared = pink()
    return np.stack(
        [np.round((0.8 * shared + 0.6 * pink()) / 0.2).astype(np.int16) for _ in range(n_channels)]
    )


def timed(work: Callable[[], object], runs: int) -> float:
    """Processor seconds, best of the runs."""
    best = np.inf
    for _ in range(runs):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return float(best)


def size_of(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)


def write_npy(folder: Path, lfp: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    channels = tuple(Channel(name=f"c{i}") for i in range(len(lfp)))
    sink = FileSink(folder, "lfp", Interval(0, lfp.shape[1] / RATE_HZ))
    sink.open(channels, (Span(0.0, lfp.shape[1], float(RATE_HZ), 0),), lfp.dtype)
    for start in range(0, lfp.shape[1], 10_000):
        sink.write(start, lfp[:, start : start + 10_000])
    sink.finish()


def read_source(folder: Path, rows: list[int] | None, start: int, n: int) -> np.ndarray:
    source = FileSource.open(folder, "lfp")
    out = np.empty((len(rows) if rows else len(source.channels), n), np.int16)
    source.read(start, out, rows)
    return out


def has_zarr() -> bool:
    try:
        import zarr.codecs
    except ImportError:
        zarr = None
    if zarr is None or not hasattr(zarr.codecs, "BloscCodec"):
        print("zarr is left out: it needs zarr 3, and SpikeInterface an older one beside it")
        return False
    return True


def read_zarr(path: Path, part) -> np.ndarray:
    import zarr

    return np.asarray(zarr.open_array(path, mode="r")[part])


def write_zarr(path: Path, lfp: np.ndarray) -> None:
    import zarr
    from zarr.codecs import BloscCodec

    length = min(60_000, lfp.shape[1])
    array = zarr.create_array(
        path,
        shape=lfp.shape,
        dtype=lfp.dtype,
        chunks=(1, length),
        shards=(len(lfp), 5 * length),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        overwrite=True,
    )
    for start in range(0, lfp.shape[1], 5 * length):
        array[:, start : start + 5 * length] = lfp[:, start : start + 5 * length]


def write_hdf5(path: Path, lfp: np.ndarray, filters: dict[str, object]) -> None:
    with h5py.File(path, "w") as file:
        chunks = (min(32_768, lfp.shape[1]), min(16, len(lfp)))
        data = file.create_dataset("lfp", lfp.T.shape, lfp.dtype, chunks=chunks, **filters)
        for start in range(0, lfp.shape[1], 8 * 32_768):
            stop = min(lfp.shape[1], start + 8 * 32_768)
            data[start:stop] = lfp[:, start:stop].T


def read_hdf5(path: Path, columns: slice, rows: slice) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return np.asarray(file["lfp"][columns, rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--block", type=Path, help="a result's folder with lfp.npy and lfp.json")
    options = parser.parse_args()
    if options.block is None:
        lfp = make_lfp(options.channels, options.minutes * 60 * RATE_HZ)
    else:
        source = FileSource.open(options.block, "lfp")
        span = max(source.spans, key=lambda s: s.n_samples)
        lfp = np.empty((len(source.channels), span.n_samples), source.dtype)
        source.read(span.first_sample, lfp)
    n, megabytes = lfp.shape[1], lfp.nbytes / 1e6
    middle = n // 2
    ten_s = min(10 * RATE_HZ, n - middle)
    print(f"{len(lfp)} channels, {n / RATE_HZ:.0f} s, {megabytes:.1f} MB of int16")
    print(
        f"{'':12} {'times smaller':>14} {'write MB/s':>11} {'1 ch, all ms':>13} "
        f"{'all ch, 10 s ms':>16}"
    )
    blosc = dict(hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
    gzip: dict[str, object] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def pack() -> None:
            write_npy(root / "packed", lfp)
            compress_lfp(root / "packed", "lfp", digest_file(root / "packed" / "lfp.npy"))

        def report(
            name: str,
            path: Path,
            write: Callable[[], object],
            spared_s: float,
            one: Callable[[], np.ndarray],
            all_of_it: Callable[[], np.ndarray],
        ) -> None:
            seconds = max(1e-9, timed(write, options.runs) - spared_s)
            # What is fast and wrong is no store.
            np.testing.assert_array_equal(one().ravel(), lfp[3])
            part = all_of_it()
            part = part if len(part) == len(lfp) else part.T
            np.testing.assert_array_equal(part, lfp[:, middle : middle + ten_s])
            print(
                f"{name:12} {lfp.nbytes / size_of(path):14.2f} {megabytes / seconds:11.0f} "
                f"{timed(one, options.runs) * 1e3:13.1f} "
                f"{timed(all_of_it, options.runs) * 1e3:16.1f}"
            )

        npy_s = timed(lambda: write_npy(root / "npy", lfp), options.runs)
        for name, write, spared_s in (
            ("npy", lambda: write_npy(root / "npy", lfp), 0.0),
            ("packed", pack, npy_s),  # packing alone, with reading back and comparing
        ):
            report(
                name,
                root / name,
                write,
                spared_s,
                lambda name=name: read_source(root / name, [3], 0, n),
                lambda name=name: read_source(root / name, None, middle, ten_s),
            )
        path = root / "a.zarr"
        if has_zarr():
            report(
                "zarr",
                path,
                lambda: write_zarr(path, lfp),
                0.0,
                lambda: read_zarr(path, 3),
                lambda: read_zarr(path, (slice(None), slice(middle, middle + ten_s))),
            )
        for name, filters in (("hdf5 blosc", blosc), ("hdf5 gzip", gzip)):
            file = root / f"{name}.h5"
            report(
                name,
                file,
                lambda file=file, filters=filters: write_hdf5(file, lfp, filters),
                0.0,
                lambda file=file: read_hdf5(file, slice(None), slice(3, 4)),
                lambda file=file: read_hdf5(file, slice(middle, middle + ten_s), slice(None)),
            )
        # The times of a recording with gaps, as NWB and zarr hold them.
        time_s = np.arange(n) / 1000.02 + 0.125
        with h5py.File(root / "times.h5", "w") as times:
            times.create_dataset("t", data=time_s, chunks=(min(n, 131_072),), **gzip)
        share = (root / "times.h5").stat().st_size / n
        print(f"a time for every sample: {share:.2f} bytes of 8 (gzip 1, shuffled)")


if __name__ == "__main__":
    main()
