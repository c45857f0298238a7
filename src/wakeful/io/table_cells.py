"""Cells of tables in CSV and Parquet files, as text or as numbers; what they mean is not judged."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadTable

_NO_NUMBER = {"", "na", "n/a", "nan", "null", "none", "-", "--", "."}
_PARQUET = (".parquet", ".pq")


def read_cells(data: bytes, path: Path) -> dict[str, Any]:
    """Column -> cells as text, or an array of numbers.

    Parameters
    ----------
    data : the file's bytes
    path : its name says the format

    Raises
    ------
    BadTable
        It can't be read, holds no row, or its columns are not named each once.
    """
    return _parquet_cells(data, path) if _is_parquet(path) else _csv_cells(data, path)


def _is_parquet(path: Path) -> bool:
    return path.suffix.casefold() in _PARQUET


def _csv_cells(data: bytes, path: Path) -> dict[str, list[str]]:
    """Column -> cells as typed."""
    if path.suffix.casefold() == ".gz" or data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise BadTable(
                f"can't be unpacked ({error})", where=str(path), remedy="copy the file again"
            ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if not text.strip():
        raise BadTable(
            "the file is empty", where=str(path), remedy="save a header and a row per epoch"
        )
    head = text.splitlines()[0]
    separator = max((",", ";", "\t"), key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise BadTable(
            f"line {reader.line_num} can't be read ({error})",
            where=str(path),
            remedy="save the table as CSV again",
        ) from error
    header = [name.strip() for name in rows[0]]
    _check_header(header, path)
    ragged = [n for row, n in zip(rows[1:], lines[1:], strict=True) if len(row) != len(header)]
    if ragged:
        raise BadTable(
            f"line {ragged[0]} has another number of cells than the header's {len(header)}"
            + (f", so have {len(ragged) - 1} more lines" if len(ragged) > 1 else ""),
            where=str(path),
            remedy="save the table as CSV again; a cell with a separator needs quotes",
        )
    if len(rows) == 1:
        raise BadTable(
            "there is a header but no row", where=str(path), remedy="give a row per epoch"
        )
    columns = list(zip(*rows[1:], strict=True))
    decimal_comma = separator == ";"
    return {
        name: [_clean(cell, decimal_comma) for cell in column]
        for name, column in zip(header, columns, strict=True)
    }


def _clean(cell: str, decimal_comma: bool) -> str:
    cell = cell.strip()
    if decimal_comma and re.fullmatch(r"[+-]?\d*,\d+(e[+-]?\d+)?", cell, re.IGNORECASE):
        return cell.replace(",", ".")
    return cell


def _parquet_cells(data: bytes, path: Path) -> dict[str, Any]:
    """Column -> a NumPy array of numbers, or cells as text."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        read = parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise BadTable(
            f"can't be read as Parquet ({error})", where=str(path), remedy="write the file again"
        ) from error
    _check_header(read.column_names, path)
    if read.num_rows == 0:
        raise BadTable("there is no row", where=str(path), remedy="give a row per epoch")
    cells: dict[str, Any] = {}
    for name in read.column_names:
        column = read.column(name)
        kind = column.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            cells[name] = np.asarray(
                column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64
            )
        elif pa.types.is_timestamp(kind):
            cells[name] = ["" if cell is None else cell.isoformat() for cell in column.to_pylist()]
        else:
            cells[name] = ["" if cell is None else str(cell) for cell in column.to_pylist()]
    return cells


def _check_header(header: Sequence[str], path: Path) -> None:
    twice = sorted({name for name in header if name and list(header).count(name) > 1})
    problems = []
    if twice:
        problems.append(f"more than one column is called {', '.join(twice)}")
    if "" in header:
        problems.append(f"column {list(header).index('') + 1} has no name")
    if len(header) == 1:
        problems.append("there is one column only; columns are parted by commas or tabs")
    if problems:
        raise BadTable(
            "; ".join(problems), where=f"{path}, header", remedy="name each column, each once"
        )


def to_texts(cells: Any) -> NDArray[np.str_]:
    """(n_rows,) cells as text; "" where a number is missing."""
    if isinstance(cells, np.ndarray):
        return np.array(["" if np.isnan(v) else f"{v:.15g}" for v in cells])
    return np.array(cells, dtype=np.str_)


def to_numbers(cells: Any) -> tuple[NDArray[np.float64], list[int]]:
    """Numbers, and the rows (from 0) whose cells are neither numbers nor blank."""
    if isinstance(cells, np.ndarray):
        return cells, []
    try:
        # The common case, a hundred times as fast.
        return np.array(cells, np.float64), []
    except ValueError:
        pass
    out = np.full(len(cells), np.nan)
    odd = []
    for i, cell in enumerate(cells):
        try:
            out[i] = float(cell)
        except ValueError:
            if cell.casefold() not in _NO_NUMBER:
                odd.append(i)
    return out, odd
