"""What reading through sample numbers has shown, kept for the next process that opens them.

A week of sample numbers is a hundred gigabytes: a worker that computes one hour must not read them
again, and a recording that has grown must not be read from its beginning. What is kept belongs to
one file; it is believed where the file has not become shorter and some numbers read again are what
they were. Losing this folder costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np

from wakeful.io.npy_files import NpyFile
from wakeful.io.sample_numbers import Stretch, find_stretches
from wakeful.io.scan_notes import place_of_scan

WORTH_ITEMS = 1 << 20
"""Fewer are read faster than what is known of them."""

_VERSION = 1
_N_WITNESSES = 16


def scan_numbers(file: NpyFile, n_items: int, scans: Path | None, where: str) -> list[Stretch]:
    """The stretches of one file, read on from where an earlier reading ended.

    Parameters
    ----------
    n_items : numbers that may be used
    scans : a folder in which to remember what was found; None for nowhere
    where : the file, for errors

    Raises
    ------
    BadRecording
        The numbers break off too often: the file is damaged.
    """
    known, stretches = _recall(file, n_items, scans)
    pieces = (p.astype(np.int64, copy=False) for p in file.iterate(n_items, first=known))
    for found in find_stretches(pieces, where):
        if stretches and found.number == stretches[-1].end and found.first_frame == 0:
            stretches[-1] = replace(
                stretches[-1], n_samples=stretches[-1].n_samples + found.n_samples
            )
        else:
            stretches.append(replace(found, first_frame=found.first_frame + known))
    if known < n_items:
        _remember(file, n_items, scans, stretches)
    return stretches


def _recall(file: NpyFile, n_items: int, scans: Path | None) -> tuple[int, list[Stretch]]:
    if scans is None:
        return 0, []
    try:
        kept = json.loads(place_of_scan(scans, file.path).read_text(encoding="utf-8"))
        known = int(kept["n_items"])
        usable = (
            kept["version"] == _VERSION
            and kept["inode"] == file.path.stat().st_ino
            and 0 < known <= n_items
        )
        if not usable or _witness(file, known) != kept["witnesses"]:
            return 0, []
        return known, [Stretch(*values) for values in kept["stretches"]]
    except (OSError, ValueError, KeyError, TypeError):
        # Never written, half written or of another version: the file is read through again.
        return 0, []


def _remember(file: NpyFile, n_items: int, scans: Path | None, stretches: list[Stretch]) -> None:
    if scans is None or n_items < WORTH_ITEMS:
        return
    place = place_of_scan(scans, file.path)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    kept = {
        "version": _VERSION,
        "file": str(file.path),
        "inode": file.path.stat().st_ino,
        "n_items": n_items,
        "witnesses": _witness(file, n_items),
        "stretches": [astuple(stretch) for stretch in stretches],
    }
    # A full disk or a folder that can't be written to makes the next opening slow, not wrong.
    with contextlib.suppress(OSError):
        scans.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(place)


def _witness(file: NpyFile, n_items: int) -> list[int]:
    places = np.unique(np.linspace(0, n_items - 1, _N_WITNESSES).astype(np.int64))
    return [int(number) for number in file.pick(places)]
