"""The line of headers: which column is which, whatever its order and spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from wakeful.model.errors import BadRow
from wakeful.sheet.interface import COLUMNS, TYPED_COLUMNS

_NEEDED: Final = ("subject", "recording")

HEADER_REMEDY: Final = (
    f"begin with a line of column names: {', '.join(c.name for c in TYPED_COLUMNS)} "
    f"(at least {' and '.join(_NEEDED)})"
)


def fold_header(text: str) -> str:
    """A header for comparison: whatever its case, with spaces, hyphens or underscores."""
    return re.sub(r"[\s_-]+", " ", text.replace("\ufeff", "").strip(" \t\"'")).strip().casefold()


_BY_HEADER: Final = {
    fold_header(text): column.name for column in COLUMNS for text in (column.name, column.title)
}


def column_of(header: str) -> str | None:
    """The sheet's column that a header names; None where it is none."""
    return _BY_HEADER.get(fold_header(header))


def find_columns(
    header: Sequence[str], where: str, needed: Sequence[str] = _NEEDED
) -> tuple[list[str], tuple[str, ...]]:
    """The sheet's column of each header ("" for none), and the headers that are none.

    Parameters
    ----------
    where : for messages
    needed : columns that must be there

    Raises
    ------
    BadRow
        A column is there twice, or one that is needed is not: names all of them.
    """
    columns = [column_of(text) or "" for text in header]
    unknown = tuple(
        text.strip()
        for text, column in zip(header, columns, strict=True)
        if not column and text.strip()
    )
    problems = [
        f"column {name} is there {columns.count(name)} times; keep one"
        for name in dict.fromkeys(columns)
        if name and columns.count(name) > 1
    ]
    for missing in needed:
        if missing not in columns:
            similar = difflib.get_close_matches(missing, map(fold_header, unknown), n=1, cutoff=0.7)
            hint = f' (did you mean it by "{similar[0]}"?)' if similar else ""
            problems.append(f"column {missing} is missing{hint}")
    if problems:
        raise BadRow(" | ".join(problems), where=where, remedy=HEADER_REMEDY)
    return columns, unknown
