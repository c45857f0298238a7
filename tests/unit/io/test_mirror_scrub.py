"""Planted damage is named to the piece, and fetched again where the source still has it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.mirror import (
    ASIDE_NAME,
    HEAD_BYTES,
    Damage,
    TakenInElsewhere,
    grid,
    piece_bounds,
    pieces_of,
    repair,
    scrub,
    take_in,
)
from wakeful.io.mirror.grid import piece_at

RANDOM = np.random.default_rng(11)

GRANULE = 1 << 18
"""Smaller than the true one in these tests, so that they are quick."""


@pytest.fixture(autouse=True)
def _small_granules(monkeypatch):
    monkeypatch.setattr(grid, "GRANULE", GRANULE)


SIZES = {"CSC1.ncs": HEAD_BYTES + 2 * GRANULE + 77, "sub/b.dat": HEAD_BYTES + 500, "c.txt": 40}


@pytest.fixture
def taken(tmp_path):
    source = tmp_path / "rec"
    (source / "sub").mkdir(parents=True)
    for name, size in SIZES.items():
        (source / name).write_bytes(RANDOM.bytes(size))
    (source / "empty.nev").touch()
    return source, tmp_path / "in", take_in(source, tmp_path / "in", in_place=False)


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ (1 << int(RANDOM.integers(8)))]))


def test_every_flipped_bit_is_named_with_its_piece(taken):
    source, folder, manifest = taken
    planted: set[tuple[str, int]] = set()
    places = [(name, int(at)) for name, size in SIZES.items() for at in RANDOM.integers(0, size, 3)]
    edges = [(name, at) for name, size in SIZES.items() for at in (0, size - 1)]
    edges += [("CSC1.ncs", HEAD_BYTES - 1), ("CSC1.ncs", HEAD_BYTES + GRANULE)]
    for name, at in [*places, *edges]:
        if (name, at) not in planted:
            flip(manifest.base / name, at)
            planted.add((name, at))
    expected = {(name, *piece_bounds(piece_at(at), SIZES[name])) for name, at in planted}
    found = scrub(manifest)
    assert {(d.file, d.start, d.stop) for d in found} == expected
    assert {d.what for d in found} == {"differ"}
    assert repair(manifest, folder, source, found) == ()
    assert scrub(manifest, with_blake3=True) == ()


def test_single_flips_are_never_missed(taken):
    """One at a time, so that none hides behind another."""
    _, _, manifest = taken
    for at in [0, SIZES["sub/b.dat"] - 1, *RANDOM.integers(0, SIZES["sub/b.dat"], 30)]:
        path = manifest.base / "sub/b.dat"
        before = path.read_bytes()
        flip(path, int(at))
        (damage,) = scrub(manifest)
        assert damage.file == "sub/b.dat"
        assert damage.start <= at < damage.stop
        path.write_bytes(before)


def test_missing_short_and_longer_files_are_named_and_mended(taken):
    source, folder, manifest = taken
    base = manifest.base
    stamps = {name: (base / name).stat().st_mtime_ns for name in SIZES}
    os.truncate(base / "CSC1.ncs", HEAD_BYTES + GRANULE + 10)
    with (base / "sub/b.dat").open("ab") as file:
        file.write(b"foreign")
    (base / "c.txt").unlink()
    (base / "empty.nev").unlink()
    found = scrub(manifest)
    end = HEAD_BYTES + GRANULE
    assert set(found) == {
        Damage("CSC1.ncs", end + 10, end + GRANULE, "missing"),
        Damage("CSC1.ncs", end + GRANULE, SIZES["CSC1.ncs"], "missing"),
        Damage("c.txt", 0, 40, "missing"),
        Damage("empty.nev", 0, 0, "missing"),
        Damage("sub/b.dat", HEAD_BYTES + 500, HEAD_BYTES + 507, "longer"),
    }
    assert repair(manifest, folder, source, found) == ()
    assert scrub(manifest) == ()
    assert stamps == {name: (base / name).stat().st_mtime_ns for name in SIZES}
    assert [p.read_bytes() for p in (folder / ASIDE_NAME).rglob("*.tail")] == [b"foreign"]


def test_a_piece_that_the_source_no_longer_has_is_left_and_said(taken):
    source, folder, manifest = taken
    flip(manifest.base / "CSC1.ncs", 5)
    flip(manifest.base / "CSC1.ncs", HEAD_BYTES + 5)
    flip(manifest.base / "c.txt", 5)
    flip(source / "CSC1.ncs", 7)
    (source / "c.txt").unlink()
    damaged = (manifest.base / "CSC1.ncs").read_bytes()[:HEAD_BYTES]
    left = repair(manifest, folder, source, scrub(manifest))
    assert left == (
        Damage("CSC1.ncs", 0, HEAD_BYTES, "differ"),
        Damage("c.txt", 0, 40, "differ"),
    )
    assert scrub(manifest) == left
    assert (manifest.base / "CSC1.ncs").read_bytes()[:HEAD_BYTES] == damaged


def test_nothing_is_cut_off_that_was_taken_in_since_it_was_scrubbed(taken):
    source, folder, before = taken
    with (source / "CSC1.ncs").open("ab") as file:
        file.write(RANDOM.bytes(3000))
    after = take_in(source, folder, in_place=False)
    (longer,) = scrub(before)
    assert longer.what == "longer"
    with pytest.raises(TakenInElsewhere, match="taken in anew"):
        repair(before, folder, source, [longer])
    assert scrub(after) == ()


def test_data_used_in_place_is_scrubbed_but_never_written_to(tmp_path):
    source = tmp_path / "a.dat"
    source.write_bytes(RANDOM.bytes(HEAD_BYTES + 5))
    manifest = take_in(source, tmp_path / "in", in_place=True)
    flip(source, 3)
    before = source.read_bytes()
    found = scrub(manifest)
    assert found == (Damage("a.dat", 0, HEAD_BYTES, "differ"),)
    assert repair(manifest, tmp_path / "in", source, found) == found
    assert source.read_bytes() == before


def test_progress_reaches_the_end(taken):
    _, _, manifest = taken
    seen: list[tuple[int, int]] = []
    scrub(manifest, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (manifest.n_bytes, manifest.n_bytes)
    assert len(seen) == sum(max(1, len(pieces_of(0, e.bytes))) for e in manifest.files) - 1


def test_the_checksums_of_whole_files_are_as_b3sum_reads_them(taken):
    import blake3

    _, folder, _ = taken
    lines = (folder / "BLAKE3SUMS").read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, path = line.split("  ")
        assert digest == blake3.blake3((folder / path).read_bytes()).hexdigest()
