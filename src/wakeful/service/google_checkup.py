"""Is everything in place at Google? Each thing that is needed, and which one is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wakeful.config import Library
from wakeful.delivery.check_drive import check_drive
from wakeful.front_config import sheet_key
from wakeful.google.account import Account, read_account
from wakeful.google.calls import SHEETS_ROOT, root_of
from wakeful.google.pace import Pace
from wakeful.google.spreadsheet import RangeValues, Spreadsheet
from wakeful.model.errors import BadRow, WakefulError
from wakeful.model.findings import Finding
from wakeful.sheet.google_sheet import GoogleSheet
from wakeful.sheet.headers import fold_header
from wakeful.sheet.outside import ROWS_TAB, TABLE_TABS, to_text


def examine_google(library: Library) -> tuple[Finding, ...]:
    """The account, each sheet that wakeful.toml names, and the folder in Drive."""
    findings = tuple(_examine(library))
    if any(one.verdict == "bad" for one in findings[:2]):
        return findings  # without the account nothing else can be asked
    return (*findings, *check_drive(library))


def _examine(library: Library) -> Iterator[Finding]:
    try:
        account = read_account(library)
    except WakefulError as error:
        yield _bad("Google account", error)
        return
    yield Finding("Google account", "good", f"{account.shown or account.kind}: the key can be read")
    problem = _attempt(lambda: _ask_for_token(account), "token")
    if problem is not None:
        yield problem
        return
    yield Finding("token", "good", f"Google accepts it (asked at {root_of(SHEETS_ROOT)})")
    if not library.config.google.sheets:
        yield Finding(
            "Google Sheets",
            "note",
            "wakeful.toml names no sheet",
            "write its address under [google] as sheets = [...]",
        )
    for address in library.config.google.sheets:
        yield from _examine_sheet(Spreadsheet(sheet_key(address), account, Pace(), Pace()))


def _ask_for_token(account: Account) -> None:
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    from wakeful.google.calls import away, unauthorised

    try:
        account.credentials.refresh(Request())
    except TransportError as error:
        raise away(error, where="Google's token server") from None
    except GoogleAuthError as error:
        raise unauthorised(error, where="Google account", account=account.shown) from None


def _examine_sheet(book: Spreadsheet) -> Iterator[Finding]:
    what = f"sheet {book.key[:12]}…"
    try:
        title, tabs = book.describe()
        by_name = {fold_header(tab.title): tab.title for tab in tabs}
        rows_tab = by_name.get(fold_header(ROWS_TAB), tabs[0].title)
        values = book.read([rows_tab])  # no others: a chart's tab has no values
    except WakefulError as error:
        yield _bad(f"{what}: read", error)
        return
    yield Finding(f"{what}: read", "good", f"{title!r}, tabs {', '.join(t.title for t in tabs)}")
    try:
        n_rows = len(GoogleSheet(book).read_rows())
    except BadRow as error:
        yield _bad(f"{what}: columns", error)
        return
    except WakefulError as error:
        yield _bad(f"{what}: read", error)
        return
    yield Finding(f"{what}: columns", "good", f"all that are needed; {n_rows} rows")
    header = [to_text(cell) for cell in values[rows_tab][0]]
    place = [fold_header(text) for text in header].index("status")
    # What stands there is written once more: it shows that we may, and changes nothing.
    same = RangeValues(rows_tab, 0, place, ((header[place],),))
    problem = _attempt(lambda: book.write([same]), f"{what}: write")
    yield problem or Finding(f"{what}: write", "good", "statuses can be written")
    missing = [name for name in TABLE_TABS if fold_header(name) not in by_name]
    if missing:
        yield Finding(
            f"{what}: tabs",
            "note",
            f"there is no tab {', '.join(missing)}",
            "`wakeful sheet setup` with its address adds them; they may be left out",
        )


def _attempt(act: Callable[[], None], what: str) -> Finding | None:
    try:
        act()
    except WakefulError as error:
        return _bad(what, error)
    return None


def _bad(what: str, error: WakefulError) -> Finding:
    found = f"{error.where}: {error.what}" if error.where else error.what
    return Finding(what, "bad", found, error.remedy)
