"""Packing the stored LFP of sealed blocks, where disk matters more than speed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wakeful.io.holding import HeldElsewhere, hold
from wakeful.io.lfp_compression import compress_lfp, expand_lfp
from wakeful.io.store import Receipt, Store
from wakeful.model.errors import BrokenArtefact, LibraryBusy
from wakeful.service.lookup import Found

_LOCK_NAME = ".packing.lock"

Told = Callable[[int, int], None]
"""Told how many blocks are done, and how many there are."""


@dataclass(frozen=True)
class Packing:
    """What came of it."""

    n_blocks: int
    bytes_before: int
    bytes_after: int
    problems: tuple[str, ...]
    """Blocks that were left as they were, and why."""

    @property
    def ratio(self) -> float:
        """How many times smaller."""
        return self.bytes_before / self.bytes_after if self.bytes_after else 1.0


def stored_lfp(receipt: Receipt) -> tuple[str, ...]:
    """Names of the LFPs that a result holds."""
    outputs = receipt.tree["outputs"].values()
    return tuple(o["lfp"] for o in outputs if isinstance(o, dict) and set(o) == {"lfp", "rate_hz"})


def receipts_of(store: Store, found: Found) -> Iterator[Receipt]:
    """The results of a session that are there."""
    for task in found.plan.tasks:
        if task.kind == "result" and store.has(task.folder, task.key):
            yield store.receipt(task.folder, task.key)


def pack(
    store: Store,
    receipts: Iterable[Receipt],
    *,
    older_than_days: float = 0.0,
    undo: bool = False,
    told: Told | None = None,
) -> Packing:
    """Pack (or unpack) the LFP of results; one after the other, each whole before the next.

    A block that can't be packed, because it is damaged, is left as it is and named.

    Parameters
    ----------
    receipts : results to look at; those without an LFP are passed over
    older_than_days : only blocks made at least this long ago
    undo : put the `.npy` files back

    Raises
    ------
    LibraryBusy
        Another process packs in this library.
    """
    latest = datetime.now(UTC) - timedelta(days=older_than_days)
    chosen = [
        (receipt, name)
        for receipt in receipts
        if undo or datetime.fromisoformat(receipt.tree["started_utc"]) <= latest
        for name in stored_lfp(receipt)
    ]
    store.root.mkdir(parents=True, exist_ok=True)
    try:
        held = hold(store.root / _LOCK_NAME)
    except HeldElsewhere as error:
        raise LibraryBusy(
            "another process is packing in this library",
            where=str(store.root),
            remedy="wait until it has ended",
        ) from error
    before, after = 0, 0
    problems: list[str] = []
    with held:
        for number, (receipt, name) in enumerate(chosen):
            digest = receipt.files[f"{name}.npy"]["xxh3_128"]
            try:
                sizes = (expand_lfp if undo else compress_lfp)(receipt.folder, name, digest)
            except BrokenArtefact as error:
                problems.append(str(error))
                continue
            finally:
                if told is not None:
                    told(number + 1, len(chosen))
            before += sizes[0]
            after += sizes[1]
    return Packing(len(chosen) - len(problems), before, after, tuple(problems))
