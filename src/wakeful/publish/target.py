"""Where something is written to, and what is written there whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wakeful.model.errors import BadParameters


def check_target(path: Path, suffixes: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a place that can't be written to.

    Raises
    ------
    BadParameters
        The ending is none of `suffixes`, there is no such folder, or something is there already.
    """
    if path.suffix not in suffixes:
        either = "" if len(suffixes) == 1 else "neither in "
        raise BadParameters(
            f"ends {either}{' nor in '.join(suffixes)}"
            if either
            else f"does not end in {suffixes[0]}",
            where=str(path),
            remedy=f"call it {' or '.join(path.name + suffix for suffix in suffixes)}",
        )
    if not path.parent.is_dir():
        raise BadParameters("there is no such folder", where=str(path.parent), remedy="make it")
    if path.exists() and not overwrite:
        raise BadParameters(
            "is there already",
            where=str(path),
            remedy="choose another name with --out, or replace it with --overwrite",
        )
