"""Recording cells that hold a pattern."""

from __future__ import annotations

import pytest

from wakeful.sheet.interface import SheetRow
from wakeful.sheet.patterns import find_pattern, fixed_folder, is_pattern, matches
from wakeful.sheet.places import Places
from wakeful.sheet.validate import ValidationContext, validate_rows


@pytest.fixture
def places(tmp_path):
    base = tmp_path / "base"
    for name in ("m01/a", "m01/b", "m01/.hidden", "m02/a", "m[1]/x"):
        (base / name).mkdir(parents=True)
        (base / name / "CSC1.ncs").write_bytes(b"x")
    (base / "m01" / "notes.txt").write_text("x")
    return Places(base)


def found(text, places):
    pattern, problem = find_pattern(text, places)
    assert pattern is not None, problem
    return [path.relative_to(places.base.resolve()).as_posix() for path in matches(pattern)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m01/*", ["m01/a", "m01/b", "m01/notes.txt"]),
        ("m0?/a", ["m01/a", "m02/a"]),
        ("*/a", ["m01/a", "m02/a"]),
        ("m01/*/*.ncs", ["m01/a/CSC1.ncs", "m01/b/CSC1.ncs"]),
        ("m[1]/*", ["m[1]/x"]),
        ("m01/c*", []),
    ],
)
def test_what_fits(text, expected, places):
    assert is_pattern(text, places)
    assert found(text, places) == expected
    assert found(f"{places.base}/{text}", places) == expected


def test_what_is_called_so_is_no_pattern(places):
    (places.base / "what?").mkdir()
    assert not is_pattern("what?", places)
    assert not is_pattern("m01/a", places)
    kept = Places(places.base, kept=lambda path: path.name == "gone*")
    assert not is_pattern("gone*", kept)
    assert is_pattern("gone?", kept)
    assert not is_pattern("https://x/*", places)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m01/**", "** is not known"),
        ("*/../m01", ".. can't follow"),
        ("m09/*", "is not there"),
        ("m01/notes.txt/*", "is a file"),
    ],
)
def test_a_pattern_that_leads_nowhere_is_explained(text, says, places):
    pattern, problem = find_pattern(text, places)
    assert pattern is None
    assert says in problem


def test_an_empty_folder_may_be_watched(places):
    (places.base / "new").mkdir()
    assert found("new/*", places) == []


def test_a_folder_that_went_away_is_told_from_one_where_nothing_fits(places):
    (places.base / "new").mkdir()
    pattern, _ = find_pattern("new/*", places)
    (places.base / "new").rmdir()
    with pytest.raises(FileNotFoundError):
        list(matches(pattern))


def test_the_fixed_folder(places):
    assert fixed_folder(places.base / "m?" / "a") == places.base
    assert fixed_folder(places.base / "m1") == places.base / "m1"


def test_rows_with_patterns_stand_for_many(places):
    context = ValidationContext(analyses={"muscle": "Muscle"}, base=places.base)
    rows = [
        SheetRow(identifier=str(n), number=n, subject="M1", recording=recording, run="yes")
        for n, recording in enumerate(["m01/*", " m01/*", "m01/a", "m01/**"], start=1)
    ]
    checked = validate_rows(rows, context)
    assert checked[0].request is None
    assert checked[0].standing.recording == places.base.resolve() / "m01" / "*"
    assert "the same as row 1" in str(checked[1].error)
    assert checked[2].standing is None
    assert checked[2].request.recording == places.base.resolve() / "m01" / "a"
    assert "** is not known" in str(checked[3].error)
