"""What is remembered of sample numbers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io import number_notes
from wakeful.io.npy_files import NpyFile, open_npy
from wakeful.io.number_notes import scan_numbers
from wakeful.io.sample_numbers import Stretch

NUMBERS = np.concatenate([np.arange(5000), np.arange(7000, 9000)])


@pytest.fixture(autouse=True)
def _all_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_notes, "WORTH_ITEMS", 1)


def _write(files: ModuleType, path: Path, numbers: np.ndarray) -> NpyFile:
    with path.open("r+b" if path.exists() else "wb") as file:  # the same inode
        file.write(files.flat.npy(numbers))
        file.truncate()
    return open_npy(path)


def _read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers that are read through, per reading."""
    read: list[int] = []
    find = number_notes.find_stretches

    def counting(pieces: object, where: str) -> list[Stretch]:
        copies = [piece.copy() for piece in pieces]  # type: ignore[attr-defined]
        read.append(sum(map(len, copies)))
        return find(copies, where)

    monkeypatch.setattr(number_notes, "find_stretches", counting)
    return read


def test_nothing_is_read_twice_and_what_grew_is_read_on(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans, path = tmp_path / "scans", tmp_path / "n.npy"
    read = _read(monkeypatch)
    for n, expected in (
        (3000, [Stretch(0, 0, 3000, 0)]),
        (6000, [Stretch(0, 0, 5000, 0), Stretch(0, 5000, 1000, 7000)]),
        (7000, [Stretch(0, 0, 5000, 0), Stretch(0, 5000, 2000, 7000)]),
        (7000, [Stretch(0, 0, 5000, 0), Stretch(0, 5000, 2000, 7000)]),
    ):
        file = _write(files, path, NUMBERS[:n])
        assert scan_numbers(file, n, scans, "n") == expected
    assert read == [3000, 3000, 1000, 0]


def test_other_numbers_are_read_anew(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans, path = tmp_path / "scans", tmp_path / "n.npy"
    scan_numbers(_write(files, path, NUMBERS), 7000, scans, "n")
    read = _read(monkeypatch)
    file = _write(files, path, NUMBERS + 1)
    assert scan_numbers(file, 7000, scans, "n")[0].number == 1
    file = _write(files, path, NUMBERS[:4000])
    assert scan_numbers(file, 4000, scans, "n") == [Stretch(0, 0, 4000, 0)]
    assert read == [7000, 4000]


def test_a_damaged_memory_is_no_memory(files: ModuleType, tmp_path: Path) -> None:
    scans, path = tmp_path / "scans", tmp_path / "n.npy"
    file = _write(files, path, NUMBERS)
    expected = scan_numbers(file, 7000, scans, "n")
    (note,) = scans.iterdir()
    for text in ("", "{}", "[]", note.read_text()[:-20]):
        note.write_text(text)
        assert scan_numbers(file, 7000, scans, "n") == expected
    assert scan_numbers(file, 7000, None, "n") == expected
