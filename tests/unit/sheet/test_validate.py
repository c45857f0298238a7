"""Every way a row can be wrong, with what the person reads."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from wakeful.model.errors import BadRow
from wakeful.sheet import (
    BadCells,
    Request,
    SheetRow,
    ValidationContext,
    natural_key,
    validate,
    validate_rows,
)
from wakeful.sheet.validate import Checks

ANALYSES = {
    "convert": "LFP at 1 kHz",
    "spectrogram": "Spectrogram per region",
    "band_power": "Band power",
    "sleep": "Sleep states",
}


@dataclass(frozen=True)
class Lab:
    """A base folder with a recording, and what rows are judged by."""

    base: Path
    context: ValidationContext

    def row(self, number: int = 14, **cells: str) -> SheetRow:
        typed = {"subject": "M014", "recording": "M014/day1", **cells}
        return SheetRow(identifier=str(number), number=number, **typed)

    def validate(self, **cells: str) -> Request:
        return validate(self.row(**cells), self.context)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    base = tmp_path.resolve() / "data"
    (base / "M014" / "day1").mkdir(parents=True)
    (base / "M014" / "day1" / "CSC1.ncs").write_bytes(b"samples")
    (base / "M014" / "day2").mkdir()
    (base / "M014" / "day2" / ".DS_Store").write_bytes(b"clutter")
    (base / "M014" / "day2" / "Thumbs.db").write_bytes(b"clutter")
    (base / "empty.edf").touch()
    (base / "channels.csv").write_text("channel,region\n")
    (base / "results" / "M014").mkdir(parents=True)
    (base / "results" / "M014" / "x.npy").write_bytes(b"x")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.edf").write_bytes(b"x")
    (base / "sneaky").symlink_to(tmp_path.resolve() / "private")
    (base / "loop").symlink_to(base / "loop")
    os.mkfifo(base / "pipe")
    context = ValidationContext(
        analyses=ANALYSES,
        params=("default", "long_epochs"),
        base=base,
        roots=(base,),
        results=(base / "results",),
    )
    return Lab(base, context)


MALFORMED: list[tuple[str, dict[str, str], list[str]]] = [
    # what is wrong, the cells, parts of the message (in this order)
    (
        "blank subject",
        {"subject": ""},
        ["row 14: subject is empty; give the animal's identifier, e.g. M014"],
    ),
    ("only spaces", {"subject": "   "}, ["row 14: subject is empty"]),
    ("path up", {"subject": "../M014"}, ['subject: "../M014" is a path', "give e.g. M014"]),
    ("path down", {"subject": "mice/M014"}, ['subject: "mice/M014" is a path, not an identifier']),
    ("backslash", {"subject": "mice\\M014"}, ["is a path", "leave out / and \\"]),
    ("dot", {"subject": "."}, ['subject: "." is a path']),
    ("two dots", {"subject": ".."}, ['subject: ".." is a path']),
    ("hidden", {"subject": ".M014"}, ["begins with a dot, which hides a folder"]),
    ("dash first", {"subject": "-M014"}, ['subject: "-M014" begins with - like a formula']),
    ("dot last", {"subject": "M014."}, ["ends with a dot"]),
    ("too long", {"subject": "M" * 65}, ["has 65 characters; use at most 64"]),
    ("device", {"subject": "con"}, ['subject: "con" is a name that Windows keeps for a device']),
    ("device with ending", {"subject": "LPT1.a"}, ["Windows keeps for a device"]),
    ("space within", {"subject": "M 014"}, ['subject: "M 014": the second character is a space']),
    (
        "Cyrillic a",
        {"subject": "Maаx"},
        ["the third character looks like a Latin a but is CYRILLIC SMALL LETTER A; use letters A"],
    ),
    (
        "Cyrillic Em first",
        {"subject": "М014"},
        ["the first character looks like a Latin M but is CYRILLIC CAPITAL LETTER EM"],
    ),
    (
        "Greek Omicron for zero's neighbour",
        {"subject": "MΟ14"},
        ["the second character looks like a Latin O but is GREEK CAPITAL LETTER OMICRON"],
    ),
    (
        "full width digit",
        {"subject": "M01４"},
        ["the fourth character looks like a plain 4 but is FULLWIDTH DIGIT FOUR"],
    ),
    (
        "dash of a word processor",
        {"subject": "M–014"},
        ["the second character looks like a plain - but is EN DASH"],
    ),
    (
        "umlaut",
        {"subject": "Mü14"},
        ["the second character is LATIN SMALL LETTER U WITH DIAERESIS (ü); use letters"],
    ),
    (
        "accent apart",
        {"subject": "Me\u0301"},
        ["the third character is COMBINING ACUTE ACCENT, which stands on the character before"],
    ),
    (
        "zero width space",
        {"subject": "M0\u200b14"},
        [r'"M0\u200b14": the third character is invisible: ZERO WIDTH SPACE; delete it'],
    ),
    (
        "invisible far out",
        {"subject": "M0123456789ABC\u2060"},
        ["15th character is invisible: WORD JOINER; delete it"],
    ),
    (
        "Hangul filler",
        {"subject": "M\u3164"},
        ["the second character is invisible: HANGUL FILLER"],
    ),
    (
        "no-break space within",
        {"subject": "M\u00a0014"},
        ["the second character is invisible: NO-BREAK SPACE"],
    ),
    ("sign", {"subject": "M#14"}, ["the second character is NUMBER SIGN (#)"]),
    ("mouse", {"subject": "🐁"}, ["the first character is MOUSE (🐁)"]),
    ("null", {"subject": "M\x0014"}, ["the second character is a null character; delete it"]),
    ("tab within", {"subject": "M\t14"}, ["the second character is a tab"]),
    ("escape", {"notes": "a\x1b[31m"}, ["notes: ", "the second character is an escape character"]),
    ("C1 control", {"stream": "a\x85"}, ["the second character is the control character U+0085"]),
    (
        "half a character",
        {"recording": "a\udcff"},
        ["second character is half a character (U+DCFF"],
    ),
    (
        "formula as subject",
        {"subject": '=HYPERLINK("x")'},
        ["subject: ", "begins with = like a formula; begin with a letter or digit"],
    ),
    ("formula after a tab", {"subject": "\t=1"}, ['subject: "=1" begins with = like a formula']),
    ("formula with plus", {"recording": "+1"}, ['recording: "+1" begins with + like a formula']),
    ("formula in analyses", {"analyses": "@sleep"}, ["analyses: ", "begins with @ like a formula"]),
    ("formula in params", {"params": "=A1"}, ["params: ", "begins with = like a formula"]),
    ("formula in stream", {"stream": "-1"}, ["stream: ", "begins with - like a formula"]),
    ("formula in channels", {"channels": "=c"}, ["channels: ", "begins with = like a formula"]),
    ("formula in priority", {"priority": "=1+1"}, ["priority: ", "begins with = like a formula"]),
    ("formula in run", {"run": "=TRUE()"}, ["run: ", "begins with = like a formula"]),
    ("formula in notes", {"notes": "=cmd|'/c calc'!A1"}, ["notes: ", "begins with = like a form"]),
    ("spreadsheet error", {"subject": "#REF!"}, ["subject: #REF! is an error of the spreadsheet"]),
    ("spreadsheet error, small", {"rerun": "#n/a"}, ["rerun: #n/a is an error of the spread"]),
    ("endless", {"notes": "x" * 10_001}, ["notes has 10,001 characters; 10,000 are the most"]),
    (
        "no recording",
        {"recording": ""},
        ["row 14: recording is empty; give the folder or file of the recording"],
    ),
    (
        "misspelt recording",
        {"recording": "M014/dya1"},
        ['recording: "M014/dya1" is not there', 'has no "dya1"', 'did you mean "day1"?'],
    ),
    (
        "misspelt folder",
        {"recording": "M0l4/day1/CSC1.ncs"},
        ['has no "M0l4"', 'did you mean "M014"?'],
    ),
    ("nothing like it", {"recording": "zzzzz"}, ['"zzzzz" is not there', "check that its disk"]),
    (
        "invisible in path",
        {"recording": "M014/\u200bday1"},
        ["the sixth character is invisible: ZERO WIDTH SPACE: delete it"],
    ),
    ("empty folder", {"recording": "M014/day2"}, ['"M014/day2" is an empty folder; check that']),
    ("empty file", {"recording": "empty.edf"}, ['"empty.edf" is an empty file']),
    ("a pipe", {"recording": "pipe"}, ['"pipe" is neither a folder nor a file']),
    ("a link to itself", {"recording": "loop"}, ['"loop" can\'t be found']),
    (
        "through a file",
        {"recording": "empty.edf/x"},
        ['"empty.edf/x" leads through a file as if it were a folder'],
    ),
    (
        "outside",
        {"recording": "../private/a.edf"},
        ['"../private/a.edf" lies outside the folders that may be read', "wakeful.toml"],
    ),
    ("outside by a link", {"recording": "sneaky/a.edf"}, ["lies outside the folders that may"]),
    ("in the results", {"recording": "results/M014"}, ["lies in the library's own results"]),
    ("around the results", {"recording": "."}, ["holds the library's own results"]),
    ("Windows path", {"recording": r"C:\data\M014"}, ["is a path of a Windows machine"]),
    ("network path", {"recording": r"\\nas\M014"}, ["is a path of a Windows machine"]),
    ("home", {"recording": "~/M014"}, ["begins with ~"]),
    ("quoted path", {"recording": '"M014/day1"'}, ["stands in quotation marks; take them away"]),
    ("address", {"recording": "https://x.org/a"}, ["is an address; give the path"]),
    ("endless path", {"recording": "../" * 2000}, ["is longer than any path can be"]),
    ("long name", {"recording": "x" * 300}, ["can't be found (File name too long)"]),
    (
        "unknown analysis",
        {"analyses": "sleeep"},
        [
            'row 14: analyses: "sleeep" is not known; did you mean "sleep"? (choose from convert, ',
        ],
    ),
    (
        "two unknown analyses",
        {"analyses": "sleep, spectogram; ripples"},
        ['"spectogram" is not known; did you mean "spectrogram"?', '| analyses: "ripples" is not'],
    ),
    (
        "unknown parameter set",
        {"params": "long_epoch"},
        ['params: "long_epoch" is not known; did you mean "long_epochs"? (choose from default, l'],
    ),
    ("parameter set with nothing like it", {"params": "zz"}, ["take a name from the list"]),
    ("channels not there", {"channels": "chanels.csv"}, ['did you mean "channels.csv"?']),
    ("channels a folder", {"channels": "M014"}, ['channels: "M014" is a folder; give the path of']),
    ("channels empty", {"channels": "empty.edf"}, ['channels: "empty.edf" is an empty file']),
    ("priority in words", {"priority": "high"}, ['priority: "high" is not a whole number; give']),
    ("priority with a fraction", {"priority": "1.5"}, ['priority: "1.5" is not a whole number']),
    ("priority in other digits", {"priority": "٣"}, ['priority: "٣" is not a whole number']),
    ("priority too large", {"priority": "9" * 10}, ["is too large; use at most nine digits"]),
    ("rerun in words", {"rerun": "again"}, ['rerun: "again" is not a whole number']),
    ("rerun below 0", {"rerun": "-1"}, ["rerun: -1 is less than 0; give a whole number, e.g. 0"]),
    ("neither yes nor no", {"run": "maybe"}, ['run: "maybe" is neither yes nor no; tick it or']),
    (
        "everything at once",
        {
            "subject": "",
            "recording": "nowhere",
            "analyses": "sleeep",
            "params": "x",
            "stream": "=1",
            "channels": "y",
            "priority": "z",
            "run": "q",
            "rerun": "-2",
            "notes": "+x",
        },
        [
            "row 14: subject is empty",
            " | recording: ",
            " | analyses: ",
            " | params: ",
            " | stream: ",
            " | channels: ",
            " | priority: ",
            " | run: ",
            " | rerun: ",
            " | notes: ",
        ],
    ),
]


@pytest.mark.parametrize(
    ("cells", "parts"), [m[1:] for m in MALFORMED], ids=[m[0] for m in MALFORMED]
)
def test_a_malformed_row_is_told_what_to_do(
    lab: Lab, cells: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(BadRow) as caught:
        lab.validate(**cells)
    message = str(caught.value)
    assert message.startswith("row 14: ")
    position = 0
    for part in parts:
        assert part in message[position:], f"{part!r} is not in {message[position:]!r}"
        position = message.index(part, position) + len(part)
    assert isinstance(caught.value, BadCells)
    # No other cell is blamed.
    assert {p.column for p in caught.value.problems} == set(cells)
    assert message.isprintable()


def test_no_two_lines_of_the_table_are_alike() -> None:
    assert len(MALFORMED) >= 40
    assert len({m[0] for m in MALFORMED}) == len({str(m[1]) for m in MALFORMED}) == len(MALFORMED)


def test_a_blank_row_says_so(lab: Lab) -> None:
    with pytest.raises(BadRow, match="row 3: the row is empty; fill in subject and recording"):
        validate(SheetRow(identifier="3", number=3, notes=" "), lab.context)


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Rights count: the superuser becomes nobody for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(before)


@pytest.mark.parametrize(
    ("rights", "recording", "part"),
    [
        (0o000, "day1", '"day1" can\'t be read: no permission; ask its owner'),
        (0o000, "day1/a.edf", '"day1/a.edf" can\'t be looked at: no permission; ask its owner'),
        (0o300, "day1", '"day1" can\'t be read: no permission; ask its owner'),
    ],
)
def test_a_recording_that_may_not_be_read(
    ordinary_user: None, rights: int, recording: str, part: str
) -> None:
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "day1")
        folder.mkdir()
        (folder / "a.edf").write_bytes(b"x")
        folder.chmod(rights)
        context = ValidationContext(analyses=ANALYSES, base=Path(base))
        row = SheetRow(identifier="1", number=1, subject="M014", recording=recording)
        try:
            with pytest.raises(BadRow) as caught:
                validate(row, context)
        finally:
            folder.chmod(0o700)
        assert part in str(caught.value)


def test_a_base_folder_that_is_not_there_is_the_problem(lab: Lab) -> None:
    context = replace(lab.context, base=lab.base / "unplugged", roots=None)
    with pytest.raises(BadRow, match="which is not there; is its disk connected"):
        validate(lab.row(), context)


def test_the_shortest_row(lab: Lab) -> None:
    request = lab.validate()
    assert request == Request(
        subject="M014",
        recording=lab.base / "M014" / "day1",
        analyses=tuple(ANALYSES),
        params="default",
    )
    assert request.notices == ()


def test_the_fullest_row(lab: Lab) -> None:
    request = lab.validate(
        recording=str(lab.base / "M014" / "day1" / "CSC1.ncs"),
        analyses="Sleep;band power,\nSPECTROGRAM PER REGION , sleep",
        params="Long-Epochs",
        stream="32 kHz",
        channels="./M014/../channels.csv",
        priority="-3",
        run="TRUE",
        rerun="2.0",
        notes="ears clipped\nsecond implant",
    )
    assert request.recording == lab.base / "M014" / "day1" / "CSC1.ncs"
    assert request.analyses == ("spectrogram", "band_power", "sleep")
    assert request.params == "long_epochs"
    assert request.stream == "32 kHz"
    assert request.channels == lab.base / "channels.csv"
    assert (request.priority, request.rerun, request.run) == (-3, 2, True)
    assert request.notes == "ears clipped\nsecond implant"
    assert Request.from_json(request.to_json()) == request


@pytest.mark.parametrize("subject", ["M014", "m_14", "14", "A.b-c", "a..b", "_M", "M" * 64, "cone"])
def test_good_subjects(lab: Lab, subject: str) -> None:
    assert lab.validate(subject=subject).subject == subject


@pytest.mark.parametrize(
    ("typed", "ticked"),
    [(t, True) for t in ("TRUE", "true", "yes", "Y", "x", "X", "1", " on ", "✓", "WAHR", "ja")]
    + [(t, False) for t in ("", "FALSE", "no", "0", "off", "Falsch")],
)
def test_run_ticks(lab: Lab, typed: str, ticked: bool) -> None:
    assert lab.validate(run=typed).run is ticked


@pytest.mark.parametrize("typed", ["", " , ;\n"])
def test_no_analyses_means_everything_standard(lab: Lab, typed: str) -> None:
    assert lab.validate(analyses=typed).analyses == tuple(ANALYSES)
    context = replace(lab.context, standard=("convert", "sleep"))
    assert validate(lab.row(analyses=typed), context).analyses == ("convert", "sleep")


def test_spaces_at_the_ends_are_ignored_with_a_notice(lab: Lab) -> None:
    request = lab.validate(subject=" M014\u00a0", recording="M014/day1\n", notes=" x ")
    assert request.subject == "M014"
    assert request.notices == (
        "subject: ignored a space before it and NO-BREAK SPACE after it",
        "recording: ignored a line break after it",
    )
    assert request == lab.validate(notes="x")


def test_one_recording_has_one_name(lab: Lab) -> None:
    (lab.base / "today").symlink_to(lab.base / "M014" / "day1")
    spellings = ["M014/day1", "M014//day1/", "./M014/../M014/day1", "today"]
    spellings.append(str(lab.base / "M014" / "day1"))
    assert len({natural_key(lab.validate(recording=s)) for s in spellings}) == 1


def test_the_second_of_two_alike_names_the_first(lab: Lab) -> None:
    rows = (
        lab.row(2),
        SheetRow(identifier="1", number=1),
        lab.row(4, analyses="sleep", notes="again"),
        lab.row(3, stream="2000Hz-2ch"),
        lab.row(5, rerun="1"),
        lab.row(6, params="long_epochs"),
        lab.row(7, subject="m014"),
        lab.row(8, recording="nowhere"),
        lab.row(9, recording="M014/day1/", rerun=" 1"),
    )
    checked = {c.row.number: c for c in validate_rows(rows, lab.context)}
    assert set(checked) == {2, 3, 4, 5, 6, 7, 8, 9}
    assert {n for n, c in checked.items() if c.error is not None} == {4, 8, 9}
    assert all((c.request is None) == (c.error is not None) for c in checked.values())
    assert str(checked[4].error) == (
        "row 4: asks for the same as row 2 (subject, recording, stream, parameter set "
        "and rerun are equal); delete one of the two, or "
        "put a new number under rerun to compute it once more"
    )
    assert "the same as row 5" in str(checked[9].error)
    seven = checked[7].request
    assert seven is not None
    assert "m014 and M014 of row 2 are taken for two animals" in seven.notices[0]


def test_what_changes_no_result_asks_for_the_same_work(lab: Lab) -> None:
    one = lab.validate()
    assert one.asks_for_the_same_work(lab.validate(notes="x", priority="5", run="yes"))
    assert not one.asks_for_the_same_work(lab.validate(analyses="sleep"))
    assert not one.asks_for_the_same_work(lab.validate(rerun="1"))


def test_the_error_travels_between_processes(lab: Lab) -> None:
    with pytest.raises(BadRow) as caught:
        lab.validate(subject="", rerun="x")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems == caught.value.problems


def test_what_cells_ask_for_is_remembered_until_they_change(lab: Lab) -> None:
    checks = Checks(valid_s=3600.0)
    row = lab.row()
    first = checks(row, lab.context)
    assert first == validate(row, lab.context)
    assert checks(replace(row, status="done"), lab.context) is first
    assert checks(replace(row, notes="seen"), lab.context).notes == "seen"
    (lab.base / "M014" / "day1" / "CSC1.ncs").unlink()
    assert checks(replace(row, notes="seen"), lab.context).notes == "seen"
    with pytest.raises(BadRow):
        Checks(valid_s=0.0)(row, lab.context)


def test_a_row_that_is_corrected_is_seen_at_once(lab: Lab) -> None:
    checks = Checks(valid_s=3600.0)
    with pytest.raises(BadRow):
        checks(lab.row(analyses="slep"), lab.context)
    (lab.base / "M014" / "day9").mkdir()
    with pytest.raises(BadRow):
        checks(lab.row(recording="M014/day9"), lab.context)
    (lab.base / "M014" / "day9" / "a.ncs").write_bytes(b"samples")
    assert checks(lab.row(recording="M014/day9"), lab.context).subject == "M014"
