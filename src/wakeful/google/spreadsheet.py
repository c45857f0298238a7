"""One Google Sheet, called by gspread: read in one call, written in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wakeful.google.account import Account
from wakeful.google.calls import TIMEOUT_S, away, explain, redirect, unauthorised
from wakeful.google.pace import Pace

MOST_CELLS: Final = 50_000
"""Cells in one call: Google recommends no more than 2 MB."""


@dataclass(frozen=True)
class TabProperties:
    """A tab of a sheet."""

    number: int
    title: str
    n_rows: int
    n_columns: int
    protected: tuple[Mapping[str, Any], ...] = ()
    """Its protected ranges, as Google describes them."""
    colour_rules: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RangeValues:
    """Cells to be written."""

    title: str
    """Of the tab."""
    row: int
    """The first, from 0."""
    column: int
    values: tuple[tuple[str, ...], ...]

    @property
    def address(self) -> str:
        """In A1 notation."""
        last_row = self.row + len(self.values)
        last_column = self.column + max(len(line) for line in self.values) - 1
        first = f"{column_letters(self.column)}{self.row + 1}"
        return f"{quote_title(self.title)}!{first}:{column_letters(last_column)}{last_row}"


class Spreadsheet:
    """A Google Sheet.

    Parameters
    ----------
    key : as in its address
    account : as whom it is called
    reads, writes : calls of the account in a minute; shared by all of its sheets

    Every method raises `GoogleAway` where Google can't be reached just now, and `GoogleRefused`
    where it says no.
    """

    def __init__(self, key: str, account: Account, reads: Pace, writes: Pace) -> None:
        self.key = key
        self.account = account
        self._reads = reads
        self._writes = writes
        self._client: Any = None
        self._may_write = False

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"Google Sheet {self.key}"

    def describe(self) -> tuple[str, tuple[TabProperties, ...]]:
        """The sheet's title, and its tabs from left to right."""
        fields = (
            "properties.title,sheets(properties(sheetId,title,gridProperties),"
            "protectedRanges,conditionalFormats)"
        )
        found = self._read(lambda c: c.fetch_sheet_metadata(self.key, {"fields": fields}))
        tabs = tuple(
            TabProperties(
                int(one["properties"]["sheetId"]),
                str(one["properties"]["title"]),
                int(one["properties"].get("gridProperties", {}).get("rowCount", 0)),
                int(one["properties"].get("gridProperties", {}).get("columnCount", 0)),
                tuple(one.get("protectedRanges", ())),
                tuple(one.get("conditionalFormats", ())),
            )
            for one in found["sheets"]
        )
        return str(found["properties"]["title"]), tabs

    def read(self, titles: Sequence[str]) -> dict[str, list[list[Any]]]:
        """Values of whole tabs: text, numbers, booleans; formulas as they are typed."""
        found = self._read(
            lambda c: c.values_batch_get(
                self.key,
                [quote_title(title) for title in titles],
                {
                    # What is typed, not what it computes: a formula shall be seen as one.
                    "valueRenderOption": "FORMULA",
                    "dateTimeRenderOption": "FORMATTED_STRING",
                    "majorDimension": "ROWS",
                },
            )
        )
        ranges = found["valueRanges"]
        return {t: r.get("values", []) for t, r in zip(titles, ranges, strict=True)}

    def wait_to_write(self) -> None:
        """Return when the account may write once more; the next `write` is that one.

        Whoever reads once more before a write waits first: in between the sheet may change.
        """
        self._writes.wait()
        self._may_write = True

    def write(self, ranges: Sequence[RangeValues]) -> None:
        """Write cells as text, never as formulas or dates (RAW)."""
        part: list[RangeValues] = []
        n_cells = 0
        for one in ranges:
            part.append(one)
            n_cells += sum(map(len, one.values))
            if n_cells >= MOST_CELLS:
                self._write_part(part)
                part, n_cells = [], 0
        if part:
            self._write_part(part)

    def change(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Change the sheet itself (tabs, formats, rules): all requests, or none."""
        body = {"requests": list(requests)}
        done = self._call(self._writes, lambda c: c.batch_update(self.key, body))
        return list(done["replies"])

    def _write_part(self, ranges: Sequence[RangeValues]) -> None:
        body = {
            "valueInputOption": "RAW",
            "data": [{"range": one.address, "values": one.values} for one in ranges],
        }
        pace = None if self._may_write else self._writes
        self._may_write = False
        self._call(pace, lambda c: c.values_batch_update(self.key, body))

    def _read(self, ask: Any) -> Any:
        return self._call(self._reads, ask)

    def _call(self, pace: Pace | None, ask: Any) -> Any:
        import requests
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
        from gspread.exceptions import APIError

        if self._client is None:
            self._client = _make_client(self.account)
        if pace is not None:
            pace.wait()
        try:
            return ask(self._client)
        except APIError as error:
            response = error.response
            raise explain(
                response.status_code,
                response.content,
                where=self.where,
                account=self.account.shown,
            ) from None
        except (requests.RequestException, TransportError, TypeError) as error:
            # TypeError: an error of a gateway, in a form that is not Google's.
            raise away(error, where=self.where) from None
        except (RefreshError, GoogleAuthError) as error:
            raise unauthorised(error, where=self.where, account=self.account.shown) from None


def _make_client(account: Account) -> Any:
    from gspread.http_client import HTTPClient

    class Redirected(HTTPClient):
        """Calls where `WAKEFUL_GOOGLE_ENDPOINT` says."""

        def request(self, method: str, endpoint: str, *args: Any, **more: Any) -> Any:
            return super().request(method, redirect(endpoint), *args, **more)

    client = Redirected(account.credentials)
    client.set_timeout(TIMEOUT_S)
    return client


def quote_title(title: str) -> str:
    """A tab's title as ranges name it."""
    return "'" + title.replace("'", "''") + "'"


def column_letters(column: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    letters, n = "", column + 1
    while n:
        n, rest = divmod(n - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
