"""Makes a Google Sheet ready: tabs, headers, choices, tick boxes, colours, guarded columns, help.

It may be run again and again: what is there stays, what is missing is added, rules that an earlier
run made are made anew. Nothing that a person typed is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wakeful.google.spreadsheet import (
    RangeValues,
    Spreadsheet,
    TabProperties,
)
from wakeful.model.errors import BadRow
from wakeful.sheet.google_looks import (
    HEADER_RANGE,
    OURS,
    TABLE_COLUMNS,
    Choices,
    look_of_help,
    look_of_rows,
    look_of_table,
)
from wakeful.sheet.headers import column_of, fold_header
from wakeful.sheet.interface import COLUMNS, FILLED_COLUMNS, Status
from wakeful.sheet.outside import (
    ROWS_TAB,
    TABLE_TABS,
    to_text,
)

HELP_TAB: Final = "Help"
_HELP_BEGINS: Final = "How to"


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
    requests += look_of_rows(rows_tab, headers[ROWS_TAB], choices, headers)
    for tab, kind in zip(wanted[1:], TABLE_TABS, strict=True):
        requests += look_of_table(tab, headers[kind], kind)
    if is_ours:
        requests += look_of_help(help_tab)
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
            if one.get("description") in (OURS, HEADER_RANGE)
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
