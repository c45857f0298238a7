"""Arrays that may still be growing."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.npy_files import open_npy, parse_npy_header
from wakeful.model.errors import BadRecording, TruncatedFile


def test_what_numpy_writes(tmp_path: Path) -> None:
    for values in (np.arange(7), np.arange(3.0), np.array([b"ab", b"c"]), np.array(["x", "yz"])):
        path = tmp_path / "a.npy"
        np.save(path, values)
        file = open_npy(path)
        assert (file.n_items, file.n_promised, file.dtype) == (len(values),) * 2 + (values.dtype,)
        np.testing.assert_array_equal(file.read(0, len(values)), values)
        np.testing.assert_array_equal(file.read(1, len(values) - 1), values[1:])
        np.testing.assert_array_equal(file.pick(np.array([1, 0])), values[[1, 0]])


def test_pieces(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, 1_200_000)
    np.save(tmp_path / "a.npy", values)
    pieces = [piece.copy() for piece in open_npy(tmp_path / "a.npy").iterate(1_100_000)]
    assert len(pieces) == 3
    np.testing.assert_array_equal(np.concatenate(pieces), values[:1_100_000])


def test_the_size_counts_where_the_file_was_never_closed(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(files.flat.npy(np.arange(10), promised=1) + b"abc")
    file = open_npy(path)
    assert (file.n_items, file.n_promised) == (10, 1)
    np.testing.assert_array_equal(file.read(0, 10), np.arange(10))
    assert open_npy(path, 128 + 4 * 8 + 5).n_items == 4
    assert open_npy(path, 128).n_items == 0


def test_fewer_items_than_promised(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(files.flat.npy(np.arange(10), promised=12))
    with pytest.raises(TruncatedFile, match="promises 12 items, the file holds 10"):
        open_npy(path)


def test_arrays_that_are_something_else(tmp_path: Path) -> None:
    for values, what in (
        (np.zeros((3, 4)), "one dimension"),
        (np.array(3), "one dimension"),
        (np.zeros(3, [("a", "i4"), ("b", "f8")]), "one dimension"),
        (np.zeros(3, complex), "one dimension"),
    ):
        raw = io.BytesIO()
        np.save(raw, values)
        with pytest.raises(BadRecording, match=what):
            parse_npy_header(raw.getvalue(), "a.npy")
    with pytest.raises(BadRecording, match=r"does not begin with the header of a \.npy"):
        parse_npy_header(b"PK\3\4" + bytes(200), "a.npy")
    with pytest.raises(BadRecording, match="would be 65,545 bytes long"):
        parse_npy_header(b"\x93NUMPY\1\0\xff\xff" + bytes(200), "a.npy")
    with pytest.raises(BadRecording, match="an unknown type"):
        parse_npy_header(
            b"\x93NUMPY\1\0\x60\0{'descr': '<i7', 'fortran_order': False, 'shape': (3,), }"
            + b" " * 100,
            "a.npy",
        )
