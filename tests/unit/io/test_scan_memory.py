"""A large file is read through once."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io import ncs_files, scan_memory
from wakeful.io.recording import read_recording
from wakeful.io.registry import Growth


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Names of the files that were looked at, and from which record on."""
    names: list[tuple[str, int]] = []
    plain = ncs_files.scan_heads

    def watched(heads, n_records, of_header_hz, known=None, *, thorough):
        begun = known.findings.n_records if known is not None else 0
        if begun < n_records:
            names.append((heads.path.name, begun))
        return plain(heads, n_records, of_header_hz, known, thorough=thorough)

    monkeypatch.setattr(ncs_files, "scan_heads", watched)
    monkeypatch.setattr(scan_memory, "WORTH_BYTES", 0)
    return names


@pytest.fixture
def folder(files: ModuleType, tmp_path: Path) -> Path:
    for i in (1, 2):
        records = files.ncs_records(
            40, true_rate_hz=2000.03, short={5: 100}, lost_after={5: 77, 20: 9000}
        )
        records["n_valid"][30] = 600
        records["tick"] += np.uint64(i)  # else the second is known from the first
        path = tmp_path / f"CSC{i}.ncs"
        files.write_ncs(path, files.ncs_header(f"CSC{i}", 2001), records)
        os.utime(path, (1e9, 1e9))
    return tmp_path


def test_what_is_remembered_is_what_was_found(folder: Path, scanned: list[tuple[str, int]]) -> None:
    scans = folder / "scans"
    first = read_recording(folder, scans).description
    assert scanned == [("CSC1.ncs", 0), ("CSC2.ncs", 0)]
    again = read_recording(folder, scans).description
    assert len(scanned) == 2
    assert again == first
    assert first.warnings, "warnings are remembered too"
    assert first == read_recording(folder).description


def test_a_file_that_grew_is_read_on_from_where_it_was(
    files: ModuleType, folder: Path, scanned: list[tuple[str, int]]
) -> None:
    scans = folder / "scans"
    read_recording(folder, scans)
    path = folder / "CSC2.ncs"
    with path.open("ab") as file:
        file.write(files.ncs_records(1, start_us=90_000_000).tobytes())
    os.utime(path, (1e9, 1e9))
    description = read_recording(path, scans).description
    assert scanned == [("CSC1.ncs", 0), ("CSC2.ncs", 0), ("CSC2.ncs", 40)]
    assert description.streams[0].spans[-1].n_samples == 512
    assert description == read_recording(path).description
    os.utime(path, (1e9 + 1, 1e9 + 1))
    read_recording(path, scans)
    assert scanned[-1] == ("CSC2.ncs", 0), "as long as before, but changed: looked at anew"


@pytest.mark.parametrize("how", ["other heads", "another file", "shorter"])
def test_a_file_that_changed_otherwise_is_read_from_its_beginning(
    files: ModuleType, folder: Path, scanned: list[tuple[str, int]], how: str
) -> None:
    path, scans = folder / "CSC1.ncs", folder / "scans"
    read_recording(path, scans)
    raw = path.read_bytes() + files.ncs_records(5, start_us=90_000_000).tobytes()
    if how == "other heads":
        changed = bytearray(raw)
        changed[16_384] ^= 1
        path.write_bytes(bytes(changed))
    elif how == "another file":
        other = folder / "new"
        other.write_bytes(raw)
        other.replace(path)
    else:
        path.write_bytes(raw[: 16_384 + 30 * 1044])
    description = read_recording(path, scans).description
    assert scanned[1:] == [("CSC1.ncs", 0)]
    assert description == read_recording(path).description


def test_while_it_grows_only_what_is_new_is_looked_at(
    files: ModuleType, folder: Path, scanned: list[tuple[str, int]]
) -> None:
    scans = folder / "scans"
    for n_records in (10, 11, 11, 25, 40):
        growth = Growth({f"CSC{i}.ncs": 16_384 + n_records * 1044 + 100 for i in (1, 2)})
        found = read_recording(folder, scans, growth).description
        assert found == read_recording(folder, growth=growth).description
    mine = [begun for name, begun in scanned if name == "CSC1.ncs"]
    assert [begun for begun in mine if begun] == [10, 11, 25]
    whole = read_recording(folder, scans).description
    assert whole == read_recording(folder).description


def test_a_file_just_written_is_not_remembered(
    folder: Path, scanned: list[tuple[str, int]]
) -> None:
    path = folder / "CSC1.ncs"
    os.utime(path)
    for _ in range(2):
        read_recording(path, folder / "scans")
    assert len(scanned) == 2


@pytest.mark.parametrize(
    "spoilt", [b"", b"{", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff"]
)
def test_a_memory_that_is_spoilt_is_not_believed(
    folder: Path, scanned: list[tuple[str, int]], spoilt: bytes
) -> None:
    path, scans = folder / "CSC1.ncs", folder / "scans"
    first = read_recording(path, scans).description
    (kept,) = scans.iterdir()
    kept.write_bytes(spoilt)
    assert read_recording(path, scans).description == first
    assert len(scanned) == 2


def test_a_folder_that_can_not_be_written_does_no_harm(
    folder: Path, scanned: list[tuple[str, int]]
) -> None:
    blocked = folder / "blocked"
    blocked.write_text("a file")
    assert read_recording(folder / "CSC1.ncs", blocked).description.streams
    assert len(scanned) == 1


def test_small_files_are_not_worth_it(
    folder: Path, scanned: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_memory, "WORTH_BYTES", 10**6)
    read_recording(folder, folder / "scans")
    assert not (folder / "scans").exists()
