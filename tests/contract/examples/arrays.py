"""Plain arrays: NumPy and MATLAB files, with what says their rate."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from tests import acquisition_files as files
from tests.contract.examples import Example, example


def planted(n_samples: int, n_channels: int = 3) -> np.ndarray:
    return np.stack([files.ramp(n_samples, c) for c in range(n_channels)])


def write_sidecar(path: Path, **tree: object) -> None:
    path.with_name(path.name + ".wakeful.json").write_text(json.dumps(tree))


def _interleaved(samples: np.ndarray) -> bytes:
    return samples.T.tobytes()


def _big_npy(folder: Path) -> Path:
    path = folder / "a.npy"
    np.lib.format.open_memmap(path, "w+", np.int16, (500_000_000, 3)).flush()
    write_sidecar(path, rate_hz=1000, unit="uV")
    return path


@example("npy", big=_big_npy)
def npy(folder: Path) -> Example:
    samples = planted(3000)
    path = folder / "day1.npy"
    np.save(path, np.ascontiguousarray(samples.T))
    write_sidecar(path, rate_hz=1000, unit="mV", gain=0.001, channels=["a", "b", "EMG"])
    spans = ((0.0, 3000),)
    return Example(path, "npy", ("a", "b", "EMG"), 1000, spans, samples, 1.0, stored=_interleaved)


@example("npy-by-channel", reader="npy")
def npy_by_channel(folder: Path) -> Example:
    samples = planted(3000).astype(">i4")
    path = folder / "day1.npy"
    np.save(path, samples)
    write_sidecar(path, rate_hz=1000, unit="V", gain=1e-6)
    return Example(
        path,
        "npy",
        ("ch1", "ch2", "ch3"),
        1000,
        ((0.0, 3000),),
        samples.astype(np.int32),
        1.0,
        stored=lambda s: s[0].astype(">i4").tobytes(),
    )


@example("npy-with-nan", reader="npy")
def npy_with_nan(folder: Path) -> Example:
    """NaN in all channels is a gap; in one, a missing value."""
    samples = planted(3000).astype(np.float64) / 8
    samples[1, 100:200] = np.nan
    full = samples.copy()
    full[:, 1200:1700] = np.nan
    path = folder / "day1.npy"
    np.save(path, np.asfortranarray(full.T))
    write_sidecar(path, rate_hz=1000, unit="uV")
    kept = np.concatenate([samples[:, :1200], samples[:, 1700:]], axis=1)
    spans = ((0.0, 1200), (1.7, 1300))
    return Example(path, "npy", ("ch1", "ch2", "ch3"), 1000, spans, kept, 1.0)


@example("mat")
def mat(folder: Path) -> Example:
    samples = planted(3000)
    path = folder / "day1.mat"
    savemat(path, {"Fs": 1000.0, "sites": np.ones((3, 2)), "data": samples.T})
    return Example(
        path,
        "mat",
        ("ch1", "ch2", "ch3"),
        1000,
        ((0.0, 3000),),
        samples,
        1.0,
        stored=None,
        loaded=True,
    )


@example("mat-struct", reader="mat")
def mat_struct(folder: Path) -> Example:
    """A vector a channel, in a struct, as MiSleep writes it."""
    samples = planted(3000, 2).astype(np.float32) / 8
    path = folder / "day1.mat"
    tree = {"EEG": samples[:1], "EMG": samples[1:], "sf": np.array([[500.0, 500.0]])}
    savemat(path, {"data": tree | {"time": "20241104-07:12:21"}})
    return Example(
        path,
        "mat",
        ("EEG", "EMG"),
        500,
        ((0.0, 3000),),
        samples,
        1.0,
        stored=None,
        loaded=True,
    )


@example("mat-7.3", reader="mat")
def mat_73(folder: Path) -> Example:
    """As MATLAB writes it: HDF5 behind 512 bytes of its own, arrays turned."""
    samples = planted(3000)
    path = folder / "day1.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        # In MATLAB 3000 x 3, samples first.
        kept = file.create_dataset("lfp", data=samples, chunks=(3, 256), compression="gzip")
        kept.attrs["MATLAB_class"] = np.bytes_("int16")
        rate = file.create_dataset("srate", data=[[1000.0]])
        rate.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as head:
        head.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return Example(
        path,
        "mat",
        ("ch1", "ch2", "ch3"),
        1000,
        ((0.0, 3000),),
        samples,
        1.0,
        stored=None,
    )
