"""Files of rows between the browser and the sheet."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from fastapi import HTTPException
from fastapi.responses import Response

from wakeful.model.errors import BadRow
from wakeful.sheet.by_ending import read_rows_file, write_rows_file
from wakeful.sheet.interface import SheetRow
from wakeful.sheet.local import LocalSheet
from wakeful.sheet.row_files import BadLines, RowImport, add_table
from wakeful.sheet.validate import ValidationContext

LARGEST_BYTES: Final = 32 << 20
"""A file of 100,000 rows has a third of it."""


class Export(StrEnum):
    """Names under which all rows can be downloaded."""

    CSV = "sheet.csv"
    XLSX = "sheet.xlsx"


_TYPES: Final = {
    Export.CSV: "text/csv; charset=utf-8",
    Export.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def receive_file(stream: AsyncIterator[bytes]) -> bytes:
    """A file that comes piece by piece, up to a limit.

    Raises
    ------
    HTTPException
        It is larger.
    """
    content = bytearray()
    async for piece in stream:
        content += piece
        if len(content) > LARGEST_BYTES:
            raise HTTPException(
                413, f"the file is larger than {LARGEST_BYTES >> 20} MB; leave only rows in it"
            )
    return bytes(content)


def import_rows(
    name: str, content: bytes, sheet: LocalSheet, context: ValidationContext | None
) -> RowImport:
    """Add the rows of a file that somebody uploaded: all of them, or none.

    Raises
    ------
    BadRow
        The file or some of its lines can't be used; the file is called by its name alone.
    """
    plain = re.sub(r"[^\w .()+-]", "_", Path(name).name).lstrip(".")[-80:] or "file"
    with tempfile.TemporaryDirectory(prefix="wakeful-") as folder:
        path = Path(folder, plain)
        path.write_bytes(content)
        try:
            return add_table(read_rows_file(path), path, sheet, context)
        except BadLines as error:
            raise BadLines(error.broken, Path(plain)) from error
        except BadRow as error:
            where = error.where.replace(str(path), plain)
            raise BadRow(error.what, where=where, remedy=error.remedy) from error


def export_rows(name: Export, rows: Sequence[SheetRow]) -> Response:
    """All rows with their statuses, as a file to be saved."""
    with tempfile.TemporaryDirectory(prefix="wakeful-") as folder:
        path = Path(folder, name)
        write_rows_file(path, rows)
        content = path.read_bytes()
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=_TYPES[name], headers=headers)
