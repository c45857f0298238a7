"""Rows as people really type them: each gets a message in its own row that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.google_library import GoogleLibrary, google_library

R = "REC"
"""Stands for a recording that is there."""
LETTERS = "use letters A to Z, digits, hyphen, underscore or dot"
NO_FORMULA = "like a formula; begin with a letter or digit"
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"recording": R}, ["subject is empty; give the animal's identifier, e.g. M014"]),
    ({"subject": " ", "recording": R}, ["subject is empty"]),
    ({"subject": "M 14", "recording": R}, ["the second character is a space", LETTERS]),
    ({"subject": "M1/left", "recording": R}, ["is a path, not an identifier; leave out /"]),
    ({"subject": "M1\\left", "recording": R}, ["is a path, not an identifier"]),
    ({"subject": "..", "recording": R}, ["is a path, not an identifier"]),
    ({"subject": ".M1", "recording": R}, ["begins with a dot", "begin with a letter"]),
    ({"subject": "M1.", "recording": R}, ["ends with a dot", "leave it out"]),
    ({"subject": "М014", "recording": R}, ["looks like a Latin M but is CYRILLIC", LETTERS]),
    ({"subject": "Ｍ014", "recording": R}, ["looks like a Latin M but is FULLWIDTH"]),
    ({"subject": "M014\u200b", "recording": R}, ["fifth character is invisible", "delete it"]),
    ({"subject": "M014\u00a0a", "recording": R}, ["NO-BREAK SPACE; delete it"]),
    ({"subject": "M–014", "recording": R}, ["looks like a plain - but is EN DASH"]),
    ({"subject": "Mäuschen", "recording": R}, ["WITH DIAERESIS (ä)", LETTERS]),
    ({"subject": "M014,M015", "recording": R}, ["the fifth character is COMMA", LETTERS]),
    ({"subject": "M014\tb", "recording": R}, ["is a tab; delete it"]),
    ({"subject": "M014\nb", "recording": R}, ["is a line break; delete it"]),
    ({"subject": "con", "recording": R}, ["Windows keeps for a device; call the animal otherwise"]),
    ({"subject": "M" * 65, "recording": R}, ["has 65 characters; use at most 64"]),
    ({"subject": "=A2", "recording": R}, ["begins with =", NO_FORMULA]),
    ({"subject": "+M014", "recording": R}, ["begins with +", NO_FORMULA]),
    ({"subject": "@M014", "recording": R}, ["begins with @", NO_FORMULA]),
    ({"subject": "-M014", "recording": R}, ["begins with -", NO_FORMULA]),
    ({"subject": "#REF!", "recording": R}, ["error of the spreadsheet; type the value"]),
    ({"subject": "#N/A", "recording": R}, ["error of the spreadsheet"]),
    ({"subject": "M1"}, ["recording is empty; give the folder or file"]),
    ({"subject": "M1", "recording": "RECx"}, ["is not there (", 'did you mean "day1"?']),
    ({"subject": "M1", "recording": "day1"}, ["is not there", "correct the path"]),
    ({"subject": "M1", "recording": "../../etc/passwd"}, ["lies outside the folders"]),
    ({"subject": "M1", "recording": "/etc/passwd"}, ["outside", "folder"]),
    ({"subject": "M1", "recording": "LIB/results"}, ["empty folder"]),
    ({"subject": "M1", "recording": "REC\u200b"}, ["is invisible: ZERO WIDTH SPACE: delete it"]),
    ({"subject": "M1", "recording": '=HYPERLINK("x")'}, [NO_FORMULA]),
    (
        {"subject": "M1", "recording": "https://drive.google.com/x"},
        ["is an address; give the path"],
    ),
    ({"subject": "M1", "recording": "file:///data/day1"}, ["is an address; give the path"]),
    ({"subject": "M1", "recording": "C:\\data\\day1"}, ["Windows machine; give it as the machine"]),
    ({"subject": "M1", "recording": "\\\\nas\\day1"}, ["is a path of a Windows machine"]),
    ({"subject": "M1", "recording": "EMPTY"}, ["is an empty folder; check that the recording"]),
    ({"subject": "M1", "recording": "~nobody-here/day1"}, ["whose home that is; write it out"]),
    ({"subject": "M1", "recording": '"REC"'}, ["stands in quotation marks; take them away"]),
    ({"subject": "M1", "recording": "REC\nday2"}, ["is a line break; delete it"]),
    ({"subject": "M1", "recording": "#VALUE!"}, ["is an error of the spreadsheet"]),
    ({"analyses": "slep"}, ['did you mean "sleep"?', "choose from convert,"]),
    ({"analyses": "sleep; spectrogam"}, ['did you mean "spectrogram"?']),
    ({"analyses": "everything"}, ["take a name from the list (choose from"]),
    ({"analyses": "sleep\u200b"}, ["sixth character is invisible", "delete it"]),
    ({"analyses": "=1+1"}, [NO_FORMULA]),
    ({"params": "fast"}, ["params", "is not known", "choose from default"]),
    ({"params": "defualt"}, ['did you mean "default"?']),
    ({"params": "=default"}, [NO_FORMULA]),
    ({"channels": "nowhere.csv"}, ["channels", "is not there", "correct the path"]),
    ({"channels": R}, ["is a folder; give the path of a file"]),
    ({"channels": "=A1"}, [NO_FORMULA]),
    ({"priority": "high"}, ["is not a whole number; give one, e.g. 0 or 5"]),
    ({"priority": "1.5"}, ["is not a whole number"]),
    ({"priority": "1e3"}, ["is not a whole number"]),
    ({"priority": "99999999999"}, ["is too large; use at most nine digits"]),
    ({"rerun": "again"}, ["is not a whole number; give one, e.g. 0 or 1"]),
    ({"rerun": "-1"}, ["is less than 0; give a whole number"]),
    ({"run": "maybe"}, ["is neither yes nor no; tick it or type yes, or clear it"]),
    ({"run": "2"}, ["is neither yes nor no"]),
    ({"notes": "=cmd|' /C calc'!A0"}, ["notes", NO_FORMULA]),
    ({"notes": "n" * 10_001}, ["has 10,001 characters; 10,000 are the most a cell takes"]),
    ({"notes": "bell\x07"}, ["is a bell character; delete it"]),
    (
        {"subject": "M 1", "recording": "nowhere", "analyses": "slep", "priority": "x"},
        ["subject:", "| recording:", "| analyses:", "| priority:"],
    ),
]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GoogleLibrary, list[str]]]:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "day1").mkdir()
    (folder / "day1" / "CSC1.ncs").write_bytes(b"")
    (folder / "empty").mkdir()
    with google_library(folder) as lab:
        toml = lab.library.root / "wakeful.toml"
        text = toml.read_text(encoding="utf-8")
        toml.write_text(text.replace("[work]", f'[work]\nroots = ["{folder}"]', 1))
        lab.reopen()
        names = {"REC": folder / "day1", "LIB": lab.library.root, "EMPTY": folder / "empty"}
        for number, (cells, _) in enumerate(BAD, start=2):
            row = {"run": True, **cells}
            if len(cells) == 1 and "subject" not in cells and "recording" not in cells:
                row = {"subject": f"M{number}", "recording": R, **row}
            for column, value in row.items():
                typed = value
                for name, path in names.items():
                    if isinstance(typed, str) and column in ("recording", "channels"):
                        typed = typed.replace(name, str(path))
                lab.person.put(number, column, typed)
        rows = lab.make_rows()
        for _ in range(3):
            rows.look()
        yield lab, [str(row["message"] or "") for row in lab.person.rows()]


def test_there_are_sixty_and_none_was_taken(shown: tuple[GoogleLibrary, list[str]]) -> None:
    lab, messages = shown
    assert len(BAD) >= 60
    assert len(messages) == len(BAD)
    assert lab.ledger.rows() == ()
    assert {row["status"] for row in lab.person.rows()} == {"needs attention"}


@pytest.mark.parametrize("number", range(len(BAD)))
def test_each_says_where_and_what_to_do(
    shown: tuple[GoogleLibrary, list[str]], number: int
) -> None:
    _, messages = shown
    message = messages[number]
    assert message.startswith(f"row {number + 2}: ")
    for part in BAD[number][1]:
        assert part in message
