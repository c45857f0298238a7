"""Where a write to a Google Sheet landed.

Cells are written by their place, and between the last look and the write somebody may have put in
or moved a column. The text then lands under another header, on what a person typed. What stood
there is known from the last look: it can be put back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from wakeful.google.spreadsheet import RangeValues
from wakeful.sheet.outside import to_text

Place = tuple[int, int]
"""(row, column) of a cell, from 0."""


@dataclass(frozen=True, eq=False)
class Written:
    """One write, and what stood in its lines before."""

    header: tuple[str, ...]
    cells: Mapping[Place, str]
    before: Mapping[int, tuple[Any, ...]]
    """Row -> its line before the write."""

    @classmethod
    def of(cls, ranges: Iterable[RangeValues], values: Sequence[Sequence[Any]]) -> Self:
        """The write of some ranges into a tab that holds `values`."""
        cells = {
            (one.row + r, one.column + c): text
            for one in ranges
            for r, line in enumerate(one.values)
            for c, text in enumerate(line)
        }
        before = {row: tuple(values[row]) for row, _ in cells if row < len(values)}
        return cls(tuple(map(to_text, values[0])), cells, before)

    def misplaced(self, values: Sequence[Sequence[Any]]) -> tuple[dict[Place, str], list[str]]:
        """What has to be put back, and what can't be since its row was moved too.

        Parameters
        ----------
        values : the tab as it is now
        """
        header = tuple(map(to_text, values[0])) if values else ()
        if header == self.header:
            return {}, []
        back: dict[Place, str] = {}
        lost: list[str] = []
        for (row, column), text in self.cells.items():
            now = values[row] if row < len(values) else ()
            name = _at(header, column)
            if name == _at(self.header, column) or to_text(_at(now, column)) != text:
                continue
            line = self.before.get(row, ())
            held = to_text(_at(line, self.header.index(name))) if name in self.header else ""
            if self._is_same_row(row, line, now, header):
                back[row, column] = held
            elif held:
                lost.append(held)
        return back, lost

    def _is_same_row(
        self, row: int, line: Sequence[Any], now: Sequence[Any], header: Sequence[str]
    ) -> bool:
        """Whether the cells that were not written are as they were, wherever they are now."""
        hit = {_at(header, column) for r, column in self.cells if r == row}
        hit |= {_at(self.header, column) for r, column in self.cells if r == row}
        return all(
            to_text(_at(line, place)) == to_text(_at(now, header.index(name)))
            for place, name in enumerate(self.header)
            if name and name not in hit and name in header
        )


def _at(line: Sequence[Any], place: int) -> Any:
    return line[place] if place < len(line) else ""
