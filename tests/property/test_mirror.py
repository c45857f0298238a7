"""Whatever a source does between passes: what is listed is what is there, and the end is equal."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.io.mirror import Ending, grid, piece_bounds, pieces_of, scrub, take_in

GRANULE = 4096
AN_HOUR_AGO = time.time() - 3600
SECONDS = itertools.cycle(range(2000))

Names = st.sampled_from(["a.ncs", "b.dat", "sub/c.dat"])
Sizes = st.one_of(
    st.integers(0, 3 * GRANULE),
    st.sampled_from([1, grid.HEAD_BYTES - 1, grid.HEAD_BYTES, GRANULE, GRANULE + 1]),
)
Deed = st.one_of(
    st.tuples(st.just("append"), Names, Sizes),
    st.tuples(st.just("shrink"), Names, Sizes),
    st.tuples(st.just("header"), Names, st.just(0)),
    st.tuples(st.just("middle"), Names, Sizes),
    st.tuples(st.just("rest"), Names, st.just(0)),
    st.tuples(st.just("remove"), Names, st.just(0)),
    st.tuples(st.just("spoil"), Names, Sizes),
    st.tuples(st.just("pass"), Names, st.just(0)),
)


@pytest.fixture(autouse=True, scope="module")
def _small_granules():
    patch = pytest.MonkeyPatch()
    patch.setattr(grid, "GRANULE", GRANULE)
    yield
    patch.undo()


def do(deed: str, path: Path, n: int, source: Path, folder: Path, in_place: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    match deed:
        case "append":
            with path.open("ab") as file:
                file.write(os.urandom(n))
        case "shrink" if size:
            os.truncate(path, min(n, size))
        case "header" | "middle" if size:
            with path.open("r+b") as file:
                file.seek(0 if deed == "header" else min(n, size - 1))
                file.write(b"-TimeClosed 2026" if deed == "header" else b"!")
        case "rest":
            for at_rest in source.rglob("*"):
                # A change that leaves size and time as they were can't be seen by anybody.
                os.utime(at_rest, (AN_HOUR_AGO + next(SECONDS),) * 2)
        case "remove":
            path.unlink(missing_ok=True)
        case "spoil":  # what a kill leaves behind the verified bytes
            copy = folder / "data" / path.relative_to(source)
            if copy.exists():
                with copy.open("ab") as file:
                    file.write(os.urandom(n))
        case "pass" if any(p.is_file() for p in source.rglob("*")):
            check(
                take_in(
                    source,
                    folder,
                    in_place=in_place,
                    following=True,
                    ending=Ending(settle_s=600.0),
                ),
            )


def check(manifest) -> None:
    """The manifest is true of what lies where it says that it does."""
    for entry in manifest.files:
        data = (manifest.base / entry.file).read_bytes()
        assert len(data) >= entry.bytes
        if manifest.in_place:
            continue  # what changed at the source since is found when it is next looked at
        for number in pieces_of(0, entry.bytes):
            start, stop = piece_bounds(number, entry.bytes)
            assert entry.accepts(number, xxhash.xxh3_128_hexdigest(data[start:stop]))


@settings(max_examples=25, deadline=None)
@given(deeds=st.lists(Deed, max_size=14), in_place=st.booleans())
def test_the_end_is_equal_whatever_happened_before(deeds, in_place):
    with tempfile.TemporaryDirectory() as root:
        source, folder = Path(root, "rec"), Path(root, "in")
        source.mkdir()
        (source / "first.dat").write_bytes(b"first")
        for deed, name, n in deeds:
            do(deed, source / name, n, source, folder, in_place)
        manifest = take_in(source, folder, in_place=in_place)
        assert manifest.complete
        assert scrub(manifest, with_blake3=True) == ()
        listed = {entry.file: (manifest.base / entry.file).read_bytes() for entry in manifest.files}
        wanted = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for path in source.rglob("*")
            if path.is_file()
        }
        assert {name: len(data) for name, data in listed.items()} == {
            name: len(data) for name, data in wanted.items()
        }
        middle = {name for deed, name, _ in deeds if deed == "middle"}
        for name in set(wanted) - middle:
            assert listed[name] == wanted[name], name
        assert take_in(source, folder, in_place=in_place) == manifest
