"""From a row of text to a request, or to one error that names every bad cell."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wakeful.model.errors import BadRow
from wakeful.sheet.characters import describe, is_forbidden, is_invisible, ordinal, quote, trim
from wakeful.sheet.interface import TYPED_COLUMNS, SheetRow
from wakeful.sheet.patterns import find_pattern, is_pattern
from wakeful.sheet.places import Places, find_file, find_recording
from wakeful.sheet.request import NaturalKey, Request, natural_key

LONGEST_SUBJECT: Final = 64
"""Characters; folder names on every file system hold more, with room for what is added."""

LONGEST_CELL: Final = 10_000

_FORMULA_STARTS: Final = "=+-@"
_SPREADSHEET_ERRORS: Final = frozenset(
    {"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!", "#SPILL!"}
)
TICKS: Final = frozenset({"true", "yes", "y", "x", "1", "on", "✓", "✔", "☑", "wahr", "ja"})
"""What counts as a tick under `run`, in lower case."""

NO_TICKS: Final = frozenset({"", "false", "no", "n", "0", "off", "☐", "falsch", "nein"})
"""What counts as none."""

_LINES_ALLOWED: Final = {"analyses": "\r\n\t", "notes": "\r\n\t"}
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_INTEGER: Final = re.compile(r"([+-]?[0-9]{1,9})(\.0+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ValidationContext:
    """What rows are judged by."""

    analyses: Mapping[str, str]
    """Name -> title, in the catalog's order."""
    params: Sequence[str] = ("default",)
    """The names of the parameter sets."""
    base: Path
    """Relative paths count from here."""
    roots: tuple[Path, ...] | None = None
    """Folders that recordings must lie in; None for anywhere."""
    results: tuple[Path, ...] = ()
    """The library's own result folders."""
    kept: Callable[[Path], bool] | None = None
    """Whether a recording that is gone has been taken in before; None where none is kept."""
    own: tuple[Path, ...] = ()
    """The library's own folders of channels files; rows may name those whatever `roots` says."""
    standard: tuple[str, ...] | None = None
    """What an empty `analyses` means; None for all there are."""
    default_params: str = "default"

    @property
    def places(self) -> Places:
        """Where paths begin and may lead."""
        return Places(self.base, self.roots, self.results, self.kept, self.own)


@dataclass(frozen=True)
class CellProblem:
    """What is wrong with one cell."""

    column: str
    text: str
    """What is wrong and what to do; begins with the column."""


class BadCells(BadRow):
    """A row with bad cells; says all of them at once.

    Parameters
    ----------
    problems : in the sheet's order
    where : "row 14"
    """

    def __init__(self, problems: Sequence[CellProblem], *, where: str) -> None:
        self.problems = tuple(problems)
        super().__init__(" | ".join(problem.text for problem in problems), where=where)

    def __reduce__(self) -> tuple[Callable[..., BadCells], tuple[object, ...]]:
        return _bad_cells, (self.problems, self.where)


def _bad_cells(problems: Sequence[CellProblem], where: str) -> BadCells:
    return BadCells(problems, where=where)


@dataclass(frozen=True, kw_only=True)
class CheckedRow:
    """A row, and what came of it: a request, a standing request or an error."""

    row: SheetRow
    request: Request | None
    error: BadRow | None
    standing: Request | None = None
    """What is asked for of every recording that fits the pattern in `recording`."""


class _Row:
    """Collects what is wrong while the cells are read one by one."""

    def __init__(self, row: SheetRow) -> None:
        self.problems: list[CellProblem] = []
        self.notices: list[str] = []
        self.cells: dict[str, str] = {}
        self.bad: set[str] = set()
        for column in TYPED_COLUMNS:
            self.cells[column.name] = self._clean(column.name, row.cell(column.name))

    def report(self, column: str, text: str) -> None:
        """Note a problem; `text` goes on after the column's name."""
        self.bad.add(column)
        self.problems.append(CellProblem(column, f"{column}{text}"))

    def _clean(self, column: str, typed: str) -> str:
        """The cell without white space at its ends; what no cell may hold is reported."""
        text, trimmed = trim(typed)
        if trimmed and text and column != "notes":
            self.notices.append(f"{column}: ignored {trimmed}")
        if len(text) > LONGEST_CELL:
            self.report(
                column, f" has {len(text):,} characters; {LONGEST_CELL:,} are the most a cell takes"
            )
        elif text.startswith(tuple(_FORMULA_STARTS)) and not _is_number(column, text):
            self.report(
                column,
                f": {quote(text)} begins with {text[0]} like a formula; "
                "begin with a letter or digit, Wakeful takes no formulas",
            )
        elif text.upper() in _SPREADSHEET_ERRORS:
            self.report(
                column, f": {text} is an error of the spreadsheet; type the value that is meant"
            )
        else:
            allowed = _LINES_ALLOWED.get(column, "")
            for index, character in enumerate(text):
                if is_forbidden(character) and character not in allowed:
                    self.report(
                        column,
                        f": {quote(text)}: the {ordinal(index)} {describe(character)}; "
                        "delete it, or type the cell again",
                    )
                    break
        return text


def _is_number(column: str, text: str) -> bool:
    return column in {"priority", "rerun"} and _INTEGER.fullmatch(text) is not None


def validate(row: SheetRow, context: ValidationContext) -> Request:
    """What a row asks for; `recording` is a pattern where the row stands for many.

    Raises
    ------
    BadRow
        Names every bad cell at once, each with what to do.
    """
    if row.is_blank:
        raise BadCells(
            [CellProblem("subject", "the row is empty; fill in subject and recording")],
            where=row.where,
        )
    found = _Row(row)
    _check_subject(found)
    recording = _recording(found, context)
    analyses = _analyses(found, context)
    params = _params(found, context)
    channels = _channels(found, context)
    priority = _integer(found, "priority", least=-999_999_999)
    run = _tick(found)
    rerun = _integer(found, "rerun", least=0)
    if found.problems or recording is None:
        order = [column.name for column in TYPED_COLUMNS]
        raise BadCells(sorted(found.problems, key=lambda p: order.index(p.column)), where=row.where)
    return Request(
        subject=found.cells["subject"],
        recording=recording,
        analyses=analyses,
        params=params,
        stream=found.cells["stream"] or None,
        channels=channels,
        priority=priority,
        rerun=rerun,
        notes=found.cells["notes"],
        run=run,
        notices=tuple(found.notices),
    )


class Checks:
    """Remembers for a while what cells ask for: to look at a thousand paths takes its time.

    Rows with bad cells are looked at each time, since what is corrected shall be seen at once.
    """

    def __init__(self, valid_s: float = 300.0) -> None:
        self._valid_s = valid_s
        self._known: dict[str, tuple[tuple[str, ...], float, Request]] = {}

    def __call__(self, row: SheetRow, context: ValidationContext) -> Request:
        """See `validate`; `context` must be the same each time."""
        cells = tuple(row.cell(column.name) for column in TYPED_COLUMNS)
        known = self._known.get(row.identifier)
        now = time.monotonic()
        if known is not None and known[0] == cells and now < known[1]:
            return known[2]
        self._known.pop(row.identifier, None)
        request = validate(row, context)
        # Not all at one time, where they were all looked at together at the start.
        spread_s = self._valid_s * (0.5 + 0.5 * (hash(row.identifier) % 64) / 64)
        self._known[row.identifier] = (cells, now + spread_s, request)
        return request


def validate_rows(
    rows: Iterable[SheetRow],
    context: ValidationContext,
    check: Callable[[SheetRow, ValidationContext], Request] = validate,
) -> tuple[CheckedRow, ...]:
    """Every row with its request or its error; blank rows are left out.

    Of rows that ask for the same (`natural_key`), the first is taken and the others are errors
    that name it. Subjects that differ only in upper and lower case get a notice.

    Parameters
    ----------
    check : tells what one row asks for; `Checks` where the same rows are looked at again and again
    """
    checked: list[CheckedRow] = []
    first_of: dict[NaturalKey, SheetRow] = {}
    spelling: dict[str, tuple[str, SheetRow]] = {}
    for row in rows:
        if row.is_blank:
            continue
        try:
            request = check(row, context)
        except BadRow as error:
            checked.append(CheckedRow(row=row, request=None, error=error))
            continue
        first = first_of.setdefault(natural_key(request), row)
        if first is not row:
            checked.append(CheckedRow(row=row, request=None, error=_duplicate(row, first)))
            continue
        other, of = spelling.setdefault(request.subject.casefold(), (request.subject, row))
        if other != request.subject:
            notice = (
                f"subject: {request.subject} and {other} of {of.where} are taken for two "
                "animals; write them alike if they are one"
            )
            request = replace(request, notices=(*request.notices, notice))
        if is_pattern(trim(row.recording)[0], context.places):
            checked.append(CheckedRow(row=row, request=None, error=None, standing=request))
        else:
            checked.append(CheckedRow(row=row, request=request, error=None))
    return tuple(checked)


def _duplicate(row: SheetRow, first: SheetRow) -> BadRow:
    return BadRow(
        f"asks for the same as {first.where} (subject, recording, stream, parameter set "
        "and rerun are equal)",
        where=row.where,
        remedy="delete one of the two, or put a new number under rerun to compute it once more",
    )


def _check_subject(row: _Row) -> None:
    text = row.cells["subject"]
    if "subject" in row.bad:
        return
    if problem := subject_problem(text):
        row.report("subject", problem)


def subject_problem(text: str) -> str:
    """What is wrong with an animal's identifier, to follow the column's name; "" for nothing."""
    if not text:
        return " is empty; give the animal's identifier, e.g. M014"
    shown = f": {quote(text)}"
    if "/" in text or "\\" in text or text in {".", ".."}:
        return f"{shown} is a path, not an identifier; leave out / and \\ and give e.g. M014"
    for index, character in enumerate(text):
        if re.fullmatch(r"[A-Za-z0-9_.-]", character, re.ASCII) is None:
            remedy = "delete it" if is_invisible(character) else _SUBJECT_REMEDY
            return f"{shown}: the {ordinal(index)} {describe(character)}; {remedy}"
    if text.startswith("."):
        return f"{shown} begins with a dot, which hides a folder; begin with a letter or digit"
    if text.endswith("."):
        return f"{shown} ends with a dot, which some file systems drop; leave it out"
    if len(text) > LONGEST_SUBJECT:
        return f"{shown} has {len(text)} characters; use at most {LONGEST_SUBJECT}"
    if _RESERVED.fullmatch(text):
        return f"{shown} is a name that Windows keeps for a device; call the animal otherwise"
    return ""


_SUBJECT_REMEDY: Final = "use letters A to Z, digits, hyphen, underscore or dot"


def _recording(row: _Row, context: ValidationContext) -> Path | None:
    text = row.cells["recording"]
    if "recording" in row.bad:
        return None
    if not text:
        row.report("recording", " is empty; give the folder or file of the recording")
        return None
    find = find_pattern if is_pattern(text, context.places) else find_recording
    path, problem = find(text, context.places)
    if path is None:
        row.report("recording", f": {problem}")
    return path


def _channels(row: _Row, context: ValidationContext) -> Path | None:
    text = row.cells["channels"]
    if "channels" in row.bad or not text:
        return None
    path, problem = find_file(text, context.places)
    if path is None:
        row.report("channels", f": {problem}")
    return path


def _analyses(row: _Row, context: ValidationContext) -> tuple[str, ...]:
    standard = tuple(context.analyses) if context.standard is None else context.standard
    if "analyses" in row.bad:
        return ()
    asked = [t for part in re.split(r"[,;\r\n]", row.cells["analyses"]) if (t := trim(part)[0])]
    if not asked:
        return standard
    chosen: set[str] = set()
    for text in dict.fromkeys(asked):
        name = _match(text, [*context.analyses]) or _by_title(text, context.analyses)
        if name is None:
            row.report("analyses", f": {_unknown(text, context.analyses)}")
        else:
            chosen.add(name)
    return tuple(name for name in context.analyses if name in chosen)


def _params(row: _Row, context: ValidationContext) -> str:
    text = row.cells["params"]
    if "params" in row.bad:
        return ""
    name = _match(text, context.params) if text else context.default_params
    if name is None:
        row.report("params", f": {_unknown(text, context.params)}")
        return ""
    return name


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.casefold())


def _match(text: str, names: Sequence[str]) -> str | None:
    """The name that is meant, whatever its case and whether with space, hyphen or underscore."""
    if text in names:
        return text
    alike = [name for name in names if _folded(name) == _folded(text)]
    return alike[0] if len(alike) == 1 else None


def _by_title(text: str, titles: Mapping[str, str]) -> str | None:
    alike = [name for name, title in titles.items() if _folded(title) == _folded(text)]
    return alike[0] if len(alike) == 1 else None


def _unknown(text: str, names: Iterable[str]) -> str:
    known = list(names)
    choices = f"(choose from {', '.join(known) or 'nothing: there are none'})"
    by_fold = {_folded(name): name for name in known}
    for index, character in enumerate(text):
        if is_invisible(character):
            hint = f"the {ordinal(index)} {describe(character)}: delete it"
            return f"{quote(text)} is not known; {hint} {choices}"
    similar = difflib.get_close_matches(_folded(text), by_fold, n=1, cutoff=0.6)
    if similar:
        return f"{quote(text)} is not known; did you mean {quote(by_fold[similar[0]])}? {choices}"
    return f"{quote(text)} is not known; take a name from the list {choices}"


def _integer(row: _Row, column: str, least: int) -> int:
    text = row.cells[column]
    if column in row.bad or not text:
        return 0
    example = "e.g. 0 or 5" if least < 0 else "e.g. 0 or 1"
    match = _INTEGER.fullmatch(text)
    if match is None:
        if re.fullmatch(r"[+-]?[0-9]{10,}", text, re.ASCII):
            row.report(column, f": {quote(text)} is too large; use at most nine digits")
        else:
            row.report(column, f": {quote(text)} is not a whole number; give one, {example}")
        return 0
    value = int(match[1])
    if value < least:
        row.report(column, f": {value} is less than {least}; give a whole number, {example}")
        return 0
    return value


def _tick(row: _Row) -> bool:
    text = row.cells["run"]
    if "run" in row.bad:
        return False
    if text.casefold() in TICKS:
        return True
    if text.casefold() not in NO_TICKS:
        row.report(
            "run", f": {quote(text)} is neither yes nor no; tick it or type yes, or clear it"
        )
    return False
