"""`wakeful plan`: what a row would do and cost."""

from __future__ import annotations

import getpass
from collections import Counter
from typing import Annotated, Any

import typer

from wakeful.catalog import load_catalog
from wakeful.cli.output import JsonOption, LibraryOption, console, library_open, print_json
from wakeful.config import Library
from wakeful.ledger import Ledger, RowCells
from wakeful.model.errors import BadRow
from wakeful.model.quality import duration_text
from wakeful.service.dry_run import DryRun, dry_run
from wakeful.service.room import gigabytes
from wakeful.service.row_rules import make_context
from wakeful.service.time_left import rounded_text
from wakeful.sheet.interface import SheetRow
from wakeful.sheet.request import Request
from wakeful.sheet.validate import CheckedRow, validate_rows


def plan(
    row: Annotated[int, typer.Argument(help="The row's number, as `wakeful status` shows it.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a row would do: files, hours, results, room and time. Nothing is done.

    `wakeful add --dry-run` says the same of a row that is not there yet.
    """
    with library_open(library, getpass.getuser()) as (opened, ledger, sheet):
        catalog = load_catalog()
        rows = sheet.read_rows()
        found = {c.row.number: c for c in validate_rows(rows, make_context(opened, catalog))}
        if row not in found:
            raise BadRow(
                f"there is no row {row} with anything in it",
                remedy="see `wakeful status` for the rows there are",
            )
        _show(dry_run(_request_of(found[row]), opened, ledger, catalog), as_json=as_json)


def show_unwritten(cells: RowCells, number: int, library: Library, ledger: Ledger) -> None:
    """Print what a row with these cells, of that number, would do."""
    catalog = load_catalog()
    row = SheetRow(
        identifier="unwritten",
        number=number,
        subject=cells.subject,
        recording=cells.recording,
        analyses=cells.analyses,
        params=cells.params,
        stream=cells.stream,
        channels=cells.channels,
        priority=cells.priority,
        run=cells.run,
        rerun=cells.rerun,
        notes=cells.notes,
    )
    (checked,) = validate_rows((row,), make_context(library, catalog))
    _show(dry_run(_request_of(checked), library, ledger, catalog), as_json=False)


def _request_of(checked: CheckedRow) -> Request:
    if checked.error is not None:
        raise checked.error
    if checked.request is None:
        raise BadRow(
            "stands for all recordings that fit its pattern",
            where=checked.row.where,
            remedy="plan one of them, or the rows that were made for it (`wakeful status`)",
        )
    return checked.request


def _show(found: DryRun, *, as_json: bool) -> None:
    """Print a dry run."""
    if as_json:
        print_json(_tree(found))
        return
    n_done = len(found.tasks) - len(found.missing)
    expected = found.expected
    lines = [
        f"recording   {found.source}",
        (
            f"            {found.n_files} files, {gigabytes(found.source_bytes)}; "
            f"{duration_text(found.recorded_s)} recorded, {found.n_channels} channels at "
            f"{found.rate_hz:g} Hz"
        ),
        f"take in     {_take_in(found)}",
        f"results     {len(found.tasks)} asked for, {n_done} there"
        + ("" if found.is_taken_in else " (known once the recording has been taken in)"),
    ]
    if not found.missing:
        lines.append("            nothing is to be computed")
    elif expected.n_known == 0:
        lines.append("time, room  unknown: no such results were made in this library so far")
    else:
        seconds = expected.seconds.times(1 / found.slots)
        more = (
            ""
            if expected.is_whole
            else f", and what is unknown so far: {', '.join(expected.unknown)}"
        )
        lines += [
            f"time        {rounded_text(seconds)} on {found.slots} workers{more}",
            (
                f"room        {gigabytes(expected.bytes.low)} to {gigabytes(expected.bytes.high)} "
                "for the results"
            ),
        ]
    lines += [f"to know     {warning}" for warning in found.warnings]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _take_in(found: DryRun) -> str:
    if found.to_take_in_bytes:
        return f"{gigabytes(found.to_take_in_bytes)} to be copied"
    if found.to_hash_bytes:
        return f"stays where it is; {gigabytes(found.to_hash_bytes)} to be read once"
    return "it is here"


def _tree(found: DryRun) -> dict[str, Any]:
    expected = found.expected
    spread = expected.seconds.times(1 / found.slots)
    return {
        "source": str(found.source),
        "n_files": found.n_files,
        "source_bytes": found.source_bytes,
        "to_take_in_bytes": found.to_take_in_bytes,
        "is_taken_in": found.is_taken_in,
        "recorded_s": found.recorded_s,
        "n_channels": found.n_channels,
        "rate_hz": found.rate_hz,
        "n_results": len(found.tasks),
        "n_missing": len(found.missing),
        "missing_by_step": dict(Counter(task.step for task in found.missing)),
        "expected_s": _three(spread.low, spread.mean, spread.high) if expected.n_known else None,
        "expected_bytes": _three(expected.bytes.low, expected.bytes.mean, expected.bytes.high)
        if expected.n_known
        else None,
        "unknown_steps": list(expected.unknown),
        "workers": found.slots,
        "warnings": list(found.warnings),
    }


def _three(low: float, mean: float, high: float) -> dict[str, float]:
    return {"low": round(low, 3), "mean": round(mean, 3), "high": round(high, 3)}
