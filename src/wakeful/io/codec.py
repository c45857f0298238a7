"""Frozen dataclasses to files and back: arrays as .npy, the rest as JSON. No pickle.

A value is stored under a name in a folder. What is small and plain stands in a JSON tree (kept in
the receipt); every array is a file `name.field.npy` that any NumPy opens; an `Lfp` is a
memory-mapped array with its tables beside it (`wakeful.io.lfp_store`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from wakeful.io.lfp_store import FileSource, is_out_of_descriptors
from wakeful.model.arrays import Lfp
from wakeful.model.errors import BrokenArtefact

_NON_FINITE = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def to_plain(value: Any) -> Any:
    """A JSON tree of a value without arrays.

    Floats that JSON has no word for become {"float": "nan"}; dates their ISO form.
    """
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list | frozenset | set):
        members = sorted(value) if isinstance(value, frozenset | set) else value
        return [to_plain(v) for v in members]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} can't be stored as JSON")


def from_plain(tree: Any, kind: Any) -> Any:
    """The value of type `kind` that `to_plain` made `tree` of."""
    return _decode(tree, kind, None)


def write_value(folder: Path, name: str, value: Any) -> Any:
    """Store a value; returns the JSON tree that `read_value` needs."""
    if isinstance(value, np.ndarray):
        file = f"{name}.npy"
        np.save(folder / file, value, allow_pickle=False)
        return {"npy": file}
    if isinstance(value, Lfp):
        source = value.samples
        if not isinstance(source, FileSource) or source.folder != folder:
            raise TypeError(f"{name}: an LFP is stored by writing it to the sink it was given")
        return {"lfp": source.name, "rate_hz": value.rate_hz}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: write_value(folder, f"{name}.{f.name}", getattr(value, f.name))
            for f in dataclasses.fields(value)
        }
    return to_plain(value)


def read_value(folder: Path, tree: Any, kind: Any) -> Any:
    """Read what `write_value` stored; arrays are read-only."""
    return _decode(tree, kind, folder)


def _decode(tree: Any, kind: Any, folder: Path | None) -> Any:
    if isinstance(tree, dict) and folder is not None:
        if set(tree) == {"npy"}:
            return _read_array(folder / tree["npy"])
        if set(tree) == {"lfp", "rate_hz"}:
            return Lfp(FileSource.open(folder, tree["lfp"]), float(tree["rate_hz"]))
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if tree is None:
            return None
        return _decode(tree, next(a for a in get_args(kind) if a is not type(None)), folder)
    if origin is tuple:
        members = get_args(kind)
        if len(members) == 2 and members[1] is Ellipsis:
            return tuple(_decode(v, members[0], folder) for v in tree)
        return tuple(_decode(v, m, folder) for v, m in zip(tree, members, strict=True))
    if origin is dict:
        key, member = get_args(kind)
        return {key(k): _decode(v, member, folder) for k, v in tree.items()}
    if isinstance(kind, type):
        if dataclasses.is_dataclass(kind):
            hints = get_type_hints(kind)
            return kind(**{k: _decode(v, hints[k], folder) for k, v in tree.items()})
        if kind is float:
            return _NON_FINITE[tree["float"]] if isinstance(tree, dict) else float(tree)
        if issubclass(kind, Enum):
            return kind(tree)
        if issubclass(kind, dt.datetime | dt.date | dt.time):
            return kind.fromisoformat(tree)
        if issubclass(kind, Path):
            return kind(tree)
    return tree


def _read_array(path: Path) -> np.ndarray[Any, Any]:
    try:
        array: np.ndarray[Any, Any] = np.load(path, mmap_mode=None, allow_pickle=False)
    except (OSError, ValueError) as error:
        if is_out_of_descriptors(error):
            raise
        raise BrokenArtefact(
            f"can't be read ({error})",
            where=str(path),
            remedy="run `wakeful verify` on it; a result that is removed is made again",
        ) from error
    array.setflags(write=False)
    return array
