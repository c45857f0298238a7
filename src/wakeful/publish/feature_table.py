"""Features as one table for other programs: CSV or Parquet, one row an epoch."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeful.io.atomic import sync_file, sync_folder
from wakeful.model.epochs import SleepFeatures
from wakeful.model.errors import BadParameters
from wakeful.publish.contents import Progress
from wakeful.publish.target import check_target

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet")


def write_feature_table(
    parts: Sequence[SleepFeatures],
    path: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write features part after part; the file is whole or not there.

    The first column is start_s, float64; the others are float32. What is NaN is null in Parquet
    and empty in CSV. In Parquet each field carries its unit and group as metadata, and the table
    the length of its epochs.

    Parameters
    ----------
    parts : in order of time, one at a time is held
    path : the file, ending in .csv or .parquet
    overwrite : replace what is there
    progress : told the share of the parts that is written

    Raises
    ------
    BadParameters
        The ending is another, the file is there already, its folder is missing, or the parts
        have different features.
    """
    check_target(path, SUFFIXES, overwrite=overwrite)
    first = parts[0]
    schema = _schema(first)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with _open(temporary, path.suffix, schema) as writer:
            for number, part in enumerate(parts):
                if (part.names, part.epoch_s) != (first.names, first.epoch_s):
                    raise BadParameters(
                        "its features or epochs differ from those before",
                        where=f"part {number + 1} of {len(parts)}",
                        remedy="run the row again, so that all hours are made alike",
                    )
                writer.write_table(_table(part, schema))
                if progress is not None:
                    progress((number + 1) / len(parts))
        sync_file(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def _schema(features: SleepFeatures) -> pa.Schema:
    import pyarrow as pa

    about = zip(features.names, features.units, features.groups, strict=True)
    fields = [pa.field("start_s", pa.float64(), nullable=False, metadata={"unit": "s"})]
    fields += [
        pa.field(name, pa.float32(), metadata={"unit": unit, "group": group})
        for name, unit, group in about
    ]
    notes = {"epoch_s": f"{features.epoch_s:.10g}", "refused": "; ".join(features.refused)}
    return pa.schema(fields, metadata=notes)


def _table(features: SleepFeatures, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [pa.array(features.start_s)]
    columns += [
        # From NumPy's side NaN is what is missing; in a table it is null.
        pa.array(np.ascontiguousarray(values), from_pandas=True)
        for values in features.values.T
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _open(path: Path, suffix: str, schema: pa.Schema) -> Any:
    if suffix == ".parquet":
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(path, schema, compression="zstd")
    from pyarrow.csv import CSVWriter, WriteOptions

    return CSVWriter(path, schema, write_options=WriteOptions(quoting_style="needed"))
