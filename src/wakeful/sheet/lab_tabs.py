"""The tabs beside the rows: animals, parameter sets, channels; read into what they mean.

Every line that can't be used gets a message of its own, and is left out; the others count.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from wakeful.animal_config import Animal, SheetTables
from wakeful.catalog import Catalog
from wakeful.io.channels_file import COLUMNS as CHANNEL_COLUMNS
from wakeful.model.errors import BadParameters
from wakeful.sheet.characters import trim
from wakeful.sheet.headers import fold_header
from wakeful.sheet.outside import (
    CHANNELS_TAB,
    PARAMETERS_TAB,
    SUBJECTS_TAB,
    Tables,
    TableTab,
)
from wakeful.sheet.validate import subject_problem

SUBJECT_COLUMNS: Final = ("subject", *Animal.model_fields)
PARAMETER_COLUMNS: Final = ("set", "step", "parameter", "value", "notes")
MAP_COLUMNS: Final = ("map", *CHANNEL_COLUMNS)

_OTHER_NAMES: Final = {
    "animal": "subject",
    "id": "subject",
    "date of birth": "birth",
    "dob": "birth",
    "light": "lights",
    "light schedule": "lights",
    "mains": "mains_hz",
    "mains hz": "mains_hz",
    "baseline dates": "baseline",
    "exclusion": "excluded",
    "dose time": "dosed",
    "treatment": "drug",
    "parameter set": "set",
    "analysis": "step",
    "field": "parameter",
    "channel map": "map",
}
_AS_IT_WAS: Final = " | until then it counts as it was"
_SEXES: Final = {"male": "M", "female": "F", "unknown": "U", "other": "O", "": "U"}


@dataclass(frozen=True)
class MapLine:
    """One line of the tab Channels."""

    number: int
    """As the user sees it."""
    map: str
    """Name of the map it belongs to; "" for that of its subject."""
    cells: Mapping[str, str]
    """Column of a channels file -> text."""

    @property
    def subject(self) -> str:
        """Whose channel it is."""
        return self.cells.get("subject", "")


@dataclass(frozen=True)
class LabTabs:
    """What the tabs of one sheet say."""

    tables: SheetTables = field(default_factory=SheetTables)
    channels: tuple[MapLine, ...] = ()
    messages: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Tab -> number of the line -> what is wrong with it."""


def read_lab_tabs(
    tables: Tables,
    catalog: Catalog,
    told: Collection[str] = (),
    before: SheetTables | None = None,
) -> LabTabs:
    """What the tabs say, and what is wrong in them.

    Parameters
    ----------
    catalog : whose steps parameters belong to
    told : parameter sets of wakeful.toml, which hold before those of the tab
    before : what was said before; an animal or a set that is spoilt now counts as it was
    """
    before = before or SheetTables()
    messages: dict[str, dict[int, str]] = {
        tab: {} for tab in (SUBJECTS_TAB, PARAMETERS_TAB, CHANNELS_TAB)
    }
    return LabTabs(
        SheetTables(
            subjects=_read_subjects(tables.subjects, before, messages[SUBJECTS_TAB]),
            parameters=_read_parameters(
                tables.parameters, catalog, told, before, messages[PARAMETERS_TAB]
            ),
        ),
        _read_channels(tables.channels, messages[CHANNELS_TAB]),
        messages,
    )


def _read_subjects(
    tab: TableTab | None, before: SheetTables, messages: dict[int, str]
) -> dict[str, Animal]:
    if tab is not None and "subject" not in _columns_of(tab, SUBJECT_COLUMNS):
        _lines(tab, SUBJECT_COLUMNS, ("subject",), messages)
        return dict(before.subjects)
    animals: dict[str, Animal] = {}
    lines_of: dict[str, int] = {}
    for number, cells in _lines(tab, SUBJECT_COLUMNS, ("subject",), messages):
        subject = cells.pop("subject", "")
        if problem := subject_problem(subject):
            messages[number] = f"subject{problem}"
            continue
        if subject in animals:
            messages[number] = f"{subject} is in row {lines_of[subject]} already; keep one of them"
            continue
        given: dict[str, Any] = {name: text for name, text in cells.items() if text}
        if "sex" in given:
            given["sex"] = _SEXES.get(given["sex"].casefold(), given["sex"].upper())
        if "mains_hz" in given:
            given["mains_hz"] = _as_value(given["mains_hz"].casefold().removesuffix("hz").strip())
        try:
            animals[subject] = Animal.model_validate(given)
            lines_of[subject] = number
        except ValidationError as error:
            messages[number] = " | ".join(
                f"{'.'.join(map(str, e['loc']))}: {_say(e)}" for e in error.errors()
            )
    for number, subject in _spoilt(tab, SUBJECT_COLUMNS, "subject", messages):
        if subject in before.subjects and subject not in animals:
            animals[subject] = before.subjects[subject]
            messages[number] += _AS_IT_WAS
    return animals


def _spoilt(
    tab: TableTab | None, columns: Collection[str], column: str, messages: Mapping[int, str]
) -> list[tuple[int, str]]:
    """(number, cell under `column`) of each line that something is wrong with."""
    if tab is None:
        return []
    named = _columns_of(tab, columns)
    if column not in named:
        return []
    place = named.index(column)
    return [
        (number, trim(cells[place])[0])
        for number, cells in tab.lines
        if number in messages and place < len(cells)
    ]


def _say(error: Any) -> str:
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"].startswith("date"):
        return f"{error['input']!r} is not a date; write it as 2025-11-03"
    if error["type"] == "literal_error":
        return f"{error['input']!r} is none of {error['ctx']['expected']}"
    return text


def _read_parameters(
    tab: TableTab | None,
    catalog: Catalog,
    told: Collection[str],
    before: SheetTables,
    messages: dict[int, str],
) -> dict[str, dict[str, dict[str, Any]]]:
    if tab is not None and not {"set", "step", "parameter"} <= set(
        _columns_of(tab, PARAMETER_COLUMNS)
    ):
        _lines(tab, PARAMETER_COLUMNS, ("set", "step", "parameter"), messages)
        return dict(before.parameters)
    sets: dict[str, dict[str, dict[str, Any]]] = {}
    numbers: dict[tuple[str, str], list[int]] = {}
    bad: set[str] = set()
    for number, cells in _lines(tab, PARAMETER_COLUMNS, ("set", "step", "parameter"), messages):
        name, step, parameter = (cells.get(c, "") for c in ("set", "step", "parameter"))
        problem = _parameter_problem(name, step, parameter, cells.get("value", ""), catalog)
        if not problem and name in told:
            problem = f"set: wakeful.toml has a set {name}, which holds; choose another name"
        values = sets.setdefault(name, {}).setdefault(step, {})
        if not problem and parameter in values:
            problem = f"parameter: {parameter} of {step} is in this set already; keep one of them"
        if problem:
            messages[number] = problem
            bad.add(name)
            continue
        values[parameter] = _as_value(cells["value"])
        numbers.setdefault((name, step), []).append(number)
    for (name, step), lines in numbers.items():
        try:
            catalog.steps[step].make_params(sets[name][step])
        except BadParameters as error:
            bad.add(name)
            for number in lines:
                messages.setdefault(number, f"value: {error.what}")
    spoilt = _spoilt(tab, PARAMETER_COLUMNS, "set", messages)
    bad |= {name for _, name in spoilt}
    kept = {name: before.parameters[name] for name in bad if name in before.parameters}
    for number, name in spoilt:
        if name in kept:
            messages[number] += _AS_IT_WAS
    for number, cells in _lines(tab, PARAMETER_COLUMNS, (), {}):
        name = cells.get("set", "")
        if name in kept:
            messages.setdefault(number, "another line of the set is wrong: it counts as it was")
        elif name in bad:
            messages.setdefault(number, "the set is not used while another line of it is wrong")
    return {name: steps for name, steps in sets.items() if name not in bad} | kept


def _parameter_problem(name: str, step: str, parameter: str, value: str, catalog: Catalog) -> str:
    if not name:
        return "set is empty; give the parameter set's name, e.g. narrow-theta"
    if name == "default":
        return "set: default is Wakeful's own; choose another name"
    if step not in catalog.steps:
        near = difflib.get_close_matches(step, list(catalog.steps), n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f'step: "{step}" is not an analysis{hint} (one of {", ".join(catalog.steps)})'
    if not parameter:
        return "parameter is empty; see `wakeful steps` for those of the analysis"
    if not value:
        return "value is empty; give a number, a text, or a list such as [6, 9]"
    return ""


def _read_channels(tab: TableTab | None, messages: dict[int, str]) -> tuple[MapLine, ...]:
    lines: list[MapLine] = []
    for number, cells in _lines(tab, MAP_COLUMNS, ("channel",), messages):
        if not cells.get("subject") and not cells.get("map"):
            messages[number] = (
                "subject and map are empty; give the animal, or the name of a map that rows can "
                "name under channels"
            )
            continue
        kept = {name: cells.get(name, "") for name in CHANNEL_COLUMNS}
        lines.append(MapLine(number, cells.get("map", ""), kept))
    return tuple(lines)


def _lines(
    tab: TableTab | None,
    columns: Collection[str],
    needed: Collection[str],
    messages: dict[int, str],
) -> list[tuple[int, dict[str, str]]]:
    """(number, column -> text) of each line; what is wrong with the headers is said in row 2."""
    if tab is None:
        return []
    named = _columns_of(tab, columns)
    missing = [name for name in needed if name not in named]
    if missing:
        messages[2] = f"the header lacks {', '.join(missing)}; it has {', '.join(tab.header)}"
        return []
    found: list[tuple[int, dict[str, str]]] = []
    for number, cells in tab.lines:
        line = {n: trim(text)[0] for n, text in zip(named, cells, strict=False) if n}
        formulas = [name for name, text in line.items() if text.startswith("=")]
        if formulas:
            messages[number] = (
                f"{', '.join(formulas)}: begins with = like a formula; type the value itself"
            )
        elif any(line.values()):
            found.append((number, line))
    return found


def _columns_of(tab: TableTab, columns: Collection[str]) -> list[str]:
    """Which column each of a tab's headers means; "" for none."""
    known = {fold_header(name): name for name in columns}
    return [known.get(text, "") or _other(text, columns) for text in map(fold_header, tab.header)]


def _other(folded: str, columns: Collection[str]) -> str:
    name = _OTHER_NAMES.get(folded, "")
    return name if name in columns else ""


def _as_value(text: str) -> Any:
    """A number, a truth value, a list; text where it is none of them."""
    low = text.strip().casefold()
    if low in ("true", "false"):
        return low == "true"
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
