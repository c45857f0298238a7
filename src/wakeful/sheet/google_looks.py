"""What the tabs of a Google Sheet look like, as requests of the Sheets API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wakeful.animal_config import Animal
from wakeful.google.spreadsheet import TabProperties, column_letters, quote_title
from wakeful.sheet.headers import column_of, fold_header
from wakeful.sheet.interface import COLUMNS, FILLED_COLUMNS, Status
from wakeful.sheet.lab_tabs import MAP_COLUMNS, PARAMETER_COLUMNS, SUBJECT_COLUMNS
from wakeful.sheet.outside import CHANNELS_TAB, PARAMETERS_TAB, SUBJECTS_TAB

OURS: Final = "Wakeful writes here"
"""Description of the ranges that it guards, by which it knows them again."""
HEADER_RANGE: Final = "Wakeful finds columns by these names"
_N_ROWS: Final = 1000

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


def look_of_rows(
    tab: TabProperties,
    header: Sequence[str],
    choices: Choices,
    headers: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    """Of the tab with the rows: headers, formats, choices, colours, guarded columns."""
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


def look_of_table(tab: TabProperties, header: Sequence[str], kind: str) -> list[dict[str, Any]]:
    """Of a tab beside the rows."""
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


def look_of_help(tab: TabProperties) -> list[dict[str, Any]]:
    """Of the tab Help."""
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
    guarded = {"range": area, "description": HEADER_RANGE, "warningOnly": True}
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
