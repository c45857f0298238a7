"""Makes a Google Sheet ready: tabs, headers, choices, tick boxes, colours, guarded columns, help.

It may be run again and again: what is there stays, what is missing is added, rules that an earlier
run made are made anew. Nothing that a person typed is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wakeful.animal_config import Animal
from wakeful.google.spreadsheet import (
    RangeValues,
    Spreadsheet,
    TabProperties,
    column_letters,
    quote_title,
)
from wakeful.model.errors import BadRow
from wakeful.sheet.headers import column_of, fold_header
from wakeful.sheet.interface import COLUMNS, FILLED_COLUMNS, Status
from wakeful.sheet.lab_tabs import MAP_COLUMNS, PARAMETER_COLUMNS, SUBJECT_COLUMNS
from wakeful.sheet.outside import (
    CHANNELS_TAB,
    PARAMETERS_TAB,
    ROWS_TAB,
    SUBJECTS_TAB,
    TABLE_TABS,
    to_text,
)

HELP_TAB: Final = "Help"
OURS: Final = "Wakeful writes here"
"""Description of the ranges that it protects, by which it knows them again."""
_HELP_BEGINS: Final = "How to"
_HEADER_RANGE: Final = "Wakeful finds columns by these names"

_COLOURS: Final[Mapping[Status, str]] = {
    Status.DONE: "#d3ece3",
    Status.DONE_WITH_WARNINGS: "#fbf0bf",
    Status.FAILED: "#f6cdbb",
    Status.NEEDS_ATTENTION: "#fbdcae",
    Status.RUNNING: "#cfe6f6",
    Status.TRANSFERRING: "#cfe6f6",
    Status.PUBLISHING: "#cfe6f6",
    Status.FOLLOWING: "#cfe6f6",
    Status.WATCHING: "#e4eff7",
    Status.QUEUED: "#e4eff7",
    Status.PAUSED: "#e6dcea",
    Status.CANCELLED: "#e2e2e2",
}
"""Light tints of Okabe and Ito's colours, which people tell apart whatever their colour vision;
the text says the same."""
_TYPED_HEADER: Final = "#dbe7f3"
_FILLED_HEADER: Final = "#e8e8e8"
_WIDTHS: Final = {
    "recording": 320,
    "analyses": 220,
    "notes": 220,
    "progress": 160,
    "link": 260,
    "message": 520,
    "channel": 90,
    "value": 160,
}
_ANIMAL_HELP: Final = {name: field.description or "" for name, field in Animal.model_fields.items()}
TABLE_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    CHANNELS_TAB: {
        **dict.fromkeys(MAP_COLUMNS, "As in a channels file."),
        "map": "Name of a map that rows can name under channels; empty: the map of its subject.",
        "channel": "The channel's name in the recording, e.g. CSC1.",
        "subject": "Whose channel it is; several animals may share one recording.",
        "region": "Brain area, e.g. CA1.",
        "kind": "lfp, eeg, emg, ttl or other; other leaves a channel out.",
        "reference": "What it was recorded against.",
    },
    SUBJECTS_TAB: {"subject": "The animal's identifier, as in the rows.", **_ANIMAL_HELP},
    PARAMETERS_TAB: {
        **dict.fromkeys(PARAMETER_COLUMNS, "Anything."),
        "set": "Name of the set, which rows give under parameter set.",
        "step": "The analysis whose parameter it is.",
        "parameter": "Which parameter: see `wakeful steps`.",
        "value": "A number, a text, or a list such as [6, 9].",
    },
}
assert list(TABLE_COLUMNS[SUBJECTS_TAB]) == list(SUBJECT_COLUMNS)


@dataclass(frozen=True)
class Choices:
    """What the sheet offers to choose from."""

    analyses: Mapping[str, str]
    """Name -> title."""
    params: Sequence[str]


@dataclass(frozen=True)
class SetUp:
    """What a set-up came to."""

    title: str
    """Of the sheet."""
    added_tabs: tuple[str, ...]
    added_columns: tuple[str, ...]
    """As "Recordings: status"."""


def set_up(book: Spreadsheet, choices: Choices) -> SetUp:
    """Make a sheet ready.

    Raises
    ------
    GoogleAway, GoogleRefused
        See `Spreadsheet`; what was done by then stays, and the next run goes on.
    BadRow
        A tab holds something else under its first line.
    """
    title, tabs = book.describe()
    added_tabs = _make_tabs(book, tabs)
    _, tabs = book.describe()
    by_name = {fold_header(tab.title): tab for tab in tabs}
    rows_tab = by_name.get(fold_header(ROWS_TAB), tabs[0])
    wanted = [rows_tab, *(by_name[fold_header(name)] for name in TABLE_TABS)]
    values = book.read([tab.title for tab in wanted])
    headers: dict[str, list[str]] = {}
    added_columns: list[str] = []
    ranges: list[RangeValues] = []
    for tab, kind in zip(wanted, (ROWS_TAB, *TABLE_TABS), strict=True):
        header = [to_text(cell) for cell in (values[tab.title] or [[]])[0]]
        new = _missing(header, kind, book.where, has_lines=len(values[tab.title]) > 1)
        headers[kind] = [*header, *new]
        if new:
            ranges.append(RangeValues(tab.title, 0, len(header), (tuple(new),)))
            added_columns += [f"{tab.title}: {name}" for name in new]
    _check_ours(rows_tab, values[rows_tab.title], book.where)
    help_tab = by_name[fold_header(HELP_TAB)]
    is_ours = _is_our_help(book.read([help_tab.title])[help_tab.title])
    if is_ours:
        ranges.append(RangeValues(help_tab.title, 0, 0, _help(choices)))
    if grown := _grow(wanted, headers):
        book.change(grown)
    book.write(ranges)
    requests = _clean(tabs, rows_tab, values[rows_tab.title])
    requests += _look_of_rows(rows_tab, headers[ROWS_TAB], choices, headers)
    for tab, kind in zip(wanted[1:], TABLE_TABS, strict=True):
        requests += _look_of_table(tab, headers[kind], kind)
    if is_ours:
        requests += _look_of_help(help_tab)
    book.change(requests)
    return SetUp(title, added_tabs, tuple(added_columns))


def _make_tabs(book: Spreadsheet, tabs: Sequence[TabProperties]) -> tuple[str, ...]:
    """Add the tabs that are missing; an empty first tab becomes that of the rows."""
    there = {fold_header(tab.title) for tab in tabs}
    requests: list[dict[str, Any]] = []
    added = [name for name in (*TABLE_TABS, HELP_TAB) if fold_header(name) not in there]
    if fold_header(ROWS_TAB) not in there:
        first = book.read([tabs[0].title])[tabs[0].title]
        names = {column_of(to_text(cell)) for cell in (first or [[]])[0]}
        if not first:
            properties = {"sheetId": tabs[0].number, "title": ROWS_TAB}
            requests.append(
                {"updateSheetProperties": {"properties": properties, "fields": "title"}}
            )
            added.insert(0, ROWS_TAB)
            # The name that it had is free again.
            had = fold_header(tabs[0].title)
            added += [name for name in (*TABLE_TABS, HELP_TAB) if fold_header(name) == had]
        elif not {"subject", "recording"} <= names:
            requests.append({"addSheet": {"properties": {"title": ROWS_TAB, "index": 0}}})
            added.insert(0, ROWS_TAB)
    requests += [
        {"addSheet": {"properties": {"title": name}}} for name in added if name != ROWS_TAB
    ]
    if requests:
        book.change(requests)
    return tuple(added)


def _missing(header: Sequence[str], kind: str, where: str, *, has_lines: bool) -> list[str]:
    """The columns that a tab lacks, as they are called in it."""
    if has_lines and not any(name.strip() for name in header):
        raise BadRow(
            "its first line is empty and others are not",
            where=f"{where}, tab {kind}",
            remedy="put the names of the columns there, or empty the tab",
        )
    if kind == ROWS_TAB:
        known = set(map(column_of, header))
        return [column.title for column in COLUMNS if column.name not in known]
    folded = set(map(fold_header, header))
    columns = [*TABLE_COLUMNS[kind], "message"]
    return [name for name in columns if fold_header(name) not in folded]


def _grow(tabs: Sequence[TabProperties], headers: Mapping[str, Sequence[str]]) -> list[Any]:
    """Room for the columns that are added."""
    return [
        {"appendDimension": {"sheetId": tab.number, "dimension": "COLUMNS", "length": short}}
        for tab, header in zip(tabs, headers.values(), strict=True)
        if (short := len(header) - tab.n_columns) > 0
    ]


def _check_ours(tab: TabProperties, values: Sequence[Sequence[Any]], where: str) -> None:
    """Refuse a tab in which people use columns that Wakeful would write into.

    Raises
    ------
    BadRow
        Names these columns.
    """
    if not values or any(one.get("description") == OURS for one in tab.protected):
        return
    filled = {column.name for column in FILLED_COLUMNS}
    theirs = [
        to_text(text)
        for place, text in enumerate(values[0])
        if column_of(to_text(text)) in filled
        and any(to_text(line[place]).strip() for line in values[1:] if place < len(line))
    ]
    if theirs:
        raise BadRow(
            f"people use the columns {', '.join(theirs)}, and Wakeful writes into columns of these "
            "names",
            where=f"{where}, tab {tab.title}",
            remedy="call them otherwise, or empty them; nothing was changed in them",
        )


def _is_our_help(values: Sequence[Sequence[Any]]) -> bool:
    """Whether the tab Help is empty, or was written by an earlier run."""
    return not values or not values[0] or to_text(values[0][0]) == _HELP_BEGINS


def _clean(
    tabs: Sequence[TabProperties], rows_tab: TabProperties, values: Sequence[Sequence[Any]]
) -> list[dict[str, Any]]:
    """Take away the rules of an earlier run."""
    header = [column_of(to_text(text)) for text in values[0]] if values else []
    place = header.index("status") if "status" in header else -1
    requests: list[dict[str, Any]] = []
    for tab in tabs:
        requests += [
            {"deleteProtectedRange": {"protectedRangeId": one["protectedRangeId"]}}
            for one in tab.protected
            if one.get("description") in (OURS, _HEADER_RANGE)
        ]
        ours = [
            n
            for n, rule in enumerate(tab.colour_rules)
            if tab.number == rows_tab.number and _is_ours(rule, place)
        ]
        requests += [
            {"deleteConditionalFormatRule": {"sheetId": tab.number, "index": n}}
            for n in reversed(ours)
        ]
    return requests


def _is_ours(rule: Mapping[str, Any], place: int) -> bool:
    """Whether a rule colours the column of statuses by one of them."""
    if any(area.get("startColumnIndex") != place for area in rule.get("ranges", ())):
        return False
    values = rule.get("booleanRule", {}).get("condition", {}).get("values", ())
    return [str(v.get("userEnteredValue")) for v in values] in [[str(s)] for s in Status]


def _look_of_rows(
    tab: TabProperties,
    header: Sequence[str],
    choices: Choices,
    headers: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    at = {name: place for place, text in enumerate(header) if (name := column_of(text))}
    helps = {at[c.name]: c.help for c in COLUMNS}
    requests = _look_of_header(tab, header, helps, [at[c.name] for c in FILLED_COLUMNS])
    texts = [at[c.name] for c in COLUMNS if c.name != "run"]
    requests += [_as_text(tab, place) for place in texts]
    requests += [_wrapped(tab, at[name]) for name in ("message", "notes")]
    requests += [
        _choice(tab, at["run"], {"type": "BOOLEAN"}, strict=True),
        _choice(
            tab,
            at["analyses"],
            _one_of(list(choices.analyses)),
            hint="One or several, with commas between them; empty means everything standard",
        ),
        _choice(
            tab,
            at["params"],
            _one_of_range(PARAMETERS_TAB, headers[PARAMETERS_TAB], "set"),
            hint=f"A set of the tab {PARAMETERS_TAB}, or {', '.join(choices.params)}",
        ),
        _choice(
            tab,
            at["subject"],
            _one_of_range(SUBJECTS_TAB, headers[SUBJECTS_TAB], "subject"),
            hint=f"An animal of the tab {SUBJECTS_TAB}, or any other identifier",
        ),
    ]
    requests += [_colour(tab, at["status"], status, text) for status, text in _COLOURS.items()]
    for first, stop in _groups(sorted(at[c.name] for c in FILLED_COLUMNS)):
        requests.append(_protect(tab, first, stop))
    requests.append(_protect_header(tab))
    return requests


def _look_of_table(tab: TabProperties, header: Sequence[str], kind: str) -> list[dict[str, Any]]:
    at = {fold_header(text): place for place, text in enumerate(header) if text}
    columns = {**TABLE_COLUMNS[kind], "message": "What is wrong with the line."}
    helps = {at[fold_header(name)]: text for name, text in columns.items()}
    message = at["message"]
    requests = _look_of_header(tab, header, helps, [message])
    requests += [_as_text(tab, at[fold_header(name)]) for name in columns]
    requests.append(_wrapped(tab, message))
    if kind == CHANNELS_TAB:
        kinds = ["lfp", "eeg", "emg", "ttl", "other"]
        requests.append(_choice(tab, at["kind"], _one_of(kinds)))
    if kind == SUBJECTS_TAB:
        requests.append(_choice(tab, at["sex"], _one_of(["M", "F", "O", "U"])))
    requests += [_protect(tab, message, message + 1), _protect_header(tab)]
    return requests


def _look_of_header(
    tab: TabProperties, header: Sequence[str], helps: Mapping[int, str], filled: Sequence[int]
) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = [
        {
            "updateSheetProperties": {
                "properties": {
                    "sheetId": tab.number,
                    "gridProperties": {"frozenRowCount": 1},
                },
                "fields": "gridProperties.frozenRowCount",
            }
        }
    ]
    for place, text in enumerate(header):
        if place not in helps:
            continue
        colour = _FILLED_HEADER if place in filled else _TYPED_HEADER
        cell = {
            "note": helps[place],
            "userEnteredFormat": {
                "backgroundColor": _rgb(colour),
                "textFormat": {"bold": True},
                "verticalAlignment": "MIDDLE",
            },
        }
        fields = "note,userEnteredFormat(backgroundColor,textFormat.bold,verticalAlignment)"
        area = {**_column(tab, place), "startRowIndex": 0, "endRowIndex": 1}
        requests.append({"repeatCell": {"range": area, "cell": cell, "fields": fields}})
        name = column_of(text) or fold_header(text)
        requests.append(_width(tab, place, _WIDTHS.get(name, 120)))
    return requests


def _look_of_help(tab: TabProperties) -> list[dict[str, Any]]:
    bold = {"userEnteredFormat": {"textFormat": {"bold": True}}}
    wrapped = {"userEnteredFormat": {"wrapStrategy": "WRAP", "verticalAlignment": "TOP"}}
    second = {**_column(tab, 1)}
    return [
        _width(tab, 0, 180),
        _width(tab, 1, 760),
        {
            "repeatCell": {
                "range": _column(tab, 0),
                "cell": bold,
                "fields": "userEnteredFormat.textFormat.bold",
            }
        },
        {
            "repeatCell": {
                "range": second,
                "cell": wrapped,
                "fields": "userEnteredFormat(wrapStrategy,verticalAlignment)",
            }
        },
    ]


def _help(choices: Choices) -> tuple[tuple[str, str], ...]:
    """The tab Help: what belongs where, and what statuses mean."""
    lines: list[tuple[str, str]] = [
        (_HELP_BEGINS, "Fill in subject and recording, then tick run. The rest comes by itself."),
        ("", "Figures and report are behind the link when the status is done."),
        ("", "Sort, insert, copy and delete rows as you like: statuses find their rows again."),
        ("", "A row that is deleted or whose tick is taken away starts nothing more."),
        ("", "Columns may be moved, and columns of your own may be added."),
        ("", ""),
        ("Columns", ""),
        *((c.title, c.help) for c in COLUMNS),
        ("", ""),
        ("Statuses", ""),
        *((str(status), status.help) for status in Status),
        ("", ""),
        ("Analyses", "Names that may stand under analyses."),
        *choices.analyses.items(),
    ]
    return tuple(lines)


def _one_of_range(title: str, header: Sequence[str], column: str) -> dict[str, Any]:
    """What stands in a column of a tab, from its second line."""
    letters = column_letters([fold_header(text) for text in header].index(column))
    area = f"={quote_title(title)}!${letters}$2:${letters}"
    return {"type": "ONE_OF_RANGE", "values": [{"userEnteredValue": area}]}


def _one_of(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "ONE_OF_LIST", "values": [{"userEnteredValue": value} for value in values]}


def _column(tab: TabProperties, place: int) -> dict[str, int]:
    return {"sheetId": tab.number, "startColumnIndex": place, "endColumnIndex": place + 1}


def _below_header(tab: TabProperties, place: int) -> dict[str, int]:
    return {**_column(tab, place), "startRowIndex": 1}


def _as_text(tab: TabProperties, place: int) -> dict[str, Any]:
    """What is typed stays as it is typed: 1-2 is no date, 014 keeps its nought."""
    cell = {"userEnteredFormat": {"numberFormat": {"type": "TEXT", "pattern": "@"}}}
    fields = "userEnteredFormat.numberFormat"
    return {"repeatCell": {"range": _below_header(tab, place), "cell": cell, "fields": fields}}


def _wrapped(tab: TabProperties, place: int) -> dict[str, Any]:
    """Long text goes on in the next line of its cell."""
    return {
        "repeatCell": {
            "range": _below_header(tab, place),
            "cell": {"userEnteredFormat": {"wrapStrategy": "WRAP"}},
            "fields": "userEnteredFormat.wrapStrategy",
        }
    }


def _choice(
    tab: TabProperties,
    place: int,
    condition: Mapping[str, Any],
    *,
    strict: bool = False,
    hint: str = "",
) -> dict[str, Any]:
    rule: dict[str, Any] = {"condition": condition, "strict": strict, "showCustomUi": True}
    if hint:
        rule["inputMessage"] = hint
    # Without an end: one that is beyond the tab's last row is refused.
    return {"setDataValidation": {"range": _below_header(tab, place), "rule": rule}}


def _colour(tab: TabProperties, place: int, status: Status, colour: str) -> dict[str, Any]:
    rule = {
        "ranges": [_below_header(tab, place)],
        "booleanRule": {
            "condition": {"type": "TEXT_EQ", "values": [{"userEnteredValue": str(status)}]},
            "format": {"backgroundColor": _rgb(colour)},
        },
    }
    return {"addConditionalFormatRule": {"rule": rule, "index": 0}}


def _protect(tab: TabProperties, first: int, stop: int) -> dict[str, Any]:
    area = {
        "sheetId": tab.number,
        "startRowIndex": 1,
        "startColumnIndex": first,
        "endColumnIndex": stop,
    }
    # A warning: a range that people can't edit at all keeps them from sorting and deleting rows.
    # What somebody types there in spite of it is put right at the next look.
    guarded = {"range": area, "description": OURS, "warningOnly": True}
    return {"addProtectedRange": {"protectedRange": guarded}}


def _protect_header(tab: TabProperties) -> dict[str, Any]:
    """A warning only: people may add columns of their own."""
    area = {"sheetId": tab.number, "startRowIndex": 0, "endRowIndex": 1}
    guarded = {"range": area, "description": _HEADER_RANGE, "warningOnly": True}
    return {"addProtectedRange": {"protectedRange": guarded}}


def _width(tab: TabProperties, place: int, pixels: int) -> dict[str, Any]:
    return {
        "updateDimensionProperties": {
            "range": {
                "sheetId": tab.number,
                "dimension": "COLUMNS",
                "startIndex": place,
                "endIndex": place + 1,
            },
            "properties": {"pixelSize": pixels},
            "fields": "pixelSize",
        }
    }


def _rgb(colour: str) -> dict[str, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return {"red": red, "green": green, "blue": blue}


def _groups(places: Sequence[int]) -> list[tuple[int, int]]:
    """(first, one past the last) of columns that stand side by side."""
    groups: list[tuple[int, int]] = []
    for place in places:
        if groups and groups[-1][1] == place:
            groups[-1] = (groups[-1][0], place + 1)
        else:
            groups.append((place, place + 1))
    return groups
