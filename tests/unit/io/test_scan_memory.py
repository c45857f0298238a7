"""A large file is read through once."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from wakeful.io import neuralynx, scan_memory
from wakeful.io.recording import read_recording


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read through."""
    names: list[str] = []
    plain = neuralynx._scan_records

    def watched(path, size, header):
        names.append(path.name)
        return plain(path, size, header)

    monkeypatch.setattr(neuralynx, "_scan_records", watched)
    monkeypatch.setattr(scan_memory, "WORTH_BYTES", 0)
    return names


@pytest.fixture
def folder(files: ModuleType, tmp_path: Path) -> Path:
    for i in (1, 2):
        records = files.ncs_records(
            40, true_rate_hz=2000.03, short={5: 100}, lost_after={5: 77, 20: 9000}
        )
        records["n_valid"][30] = 600
        path = tmp_path / f"CSC{i}.ncs"
        files.write_ncs(path, files.ncs_header(f"CSC{i}", 2001), records)
        os.utime(path, (1e9, 1e9))
    return tmp_path


def test_what_is_remembered_is_what_was_found(folder: Path, scanned: list[str]) -> None:
    scans = folder / "scans"
    first = read_recording(folder, scans).description
    assert scanned == ["CSC1.ncs", "CSC2.ncs"]
    again = read_recording(folder, scans).description
    assert len(scanned) == 2
    assert again == first
    assert first.warnings, "warnings are remembered too"
    assert first == read_recording(folder).description


def test_a_file_that_changed_is_read_through_again(
    files: ModuleType, folder: Path, scanned: list[str]
) -> None:
    scans = folder / "scans"
    read_recording(folder, scans)
    path = folder / "CSC2.ncs"
    with path.open("ab") as file:
        file.write(files.ncs_records(1, start_us=90_000_000).tobytes())
    os.utime(path, (1e9, 1e9))
    description = read_recording(path, scans).description
    assert scanned == ["CSC1.ncs", "CSC2.ncs", "CSC2.ncs"]
    assert description.streams[0].spans[-1].n_samples == 512
    os.utime(path, (1e9 + 1, 1e9 + 1))
    read_recording(path, scans)
    assert len(scanned) == 4


def test_a_file_just_written_is_not_remembered(folder: Path, scanned: list[str]) -> None:
    path = folder / "CSC1.ncs"
    os.utime(path)
    for _ in range(2):
        read_recording(path, folder / "scans")
    assert len(scanned) == 2


@pytest.mark.parametrize(
    "spoilt", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff"]
)
def test_a_memory_that_is_spoilt_is_not_believed(
    folder: Path, scanned: list[str], spoilt: bytes
) -> None:
    path, scans = folder / "CSC1.ncs", folder / "scans"
    first = read_recording(path, scans).description
    (kept,) = scans.iterdir()
    kept.write_bytes(spoilt)
    assert read_recording(path, scans).description == first
    assert len(scanned) == 2


def test_a_folder_that_can_not_be_written_does_no_harm(folder: Path, scanned: list[str]) -> None:
    blocked = folder / "blocked"
    blocked.write_text("a file")
    assert read_recording(folder / "CSC1.ncs", blocked).description.streams
    assert len(scanned) == 1


def test_small_files_are_not_worth_it(
    folder: Path, scanned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_memory, "WORTH_BYTES", 10**6)
    read_recording(folder, folder / "scans")
    assert not (folder / "scans").exists()
