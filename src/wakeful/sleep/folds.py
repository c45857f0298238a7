"""Which epochs are held out together in cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.sleep.feature_table import FeatureTable

Mask = NDArray[np.bool_]

_MIN_BLOCK_EPOCHS = 15
"""A block holds at least about a bout, or its neighbours give away what it is."""
_BLOCKS_PER_FOLD = 4


def make_folds(table: FeatureTable, known: Mask, *, n_folds: int) -> NDArray[np.int64]:
    """The fold of each epoch: whole groups where there are several, else blocks of time.

    Parameters
    ----------
    known : (n_epochs,) where there is a label
    n_folds : at most; groups (animals) are dealt out so that folds have about as many labels each.
        Blocks of time alternate between folds, so that each fold has all hours of the day.

    Returns
    -------
    (n_epochs,) 0 and up

    Raises
    ------
    BadParameters
        Fewer than two folds, or too few labels for them.
    """
    if n_folds < 2:
        raise BadParameters(
            f"{n_folds} fold can't be held out and trained on",
            where="cross-validation",
            remedy="ask for 2 folds or more",
        )
    groups = [str(g) for g in np.unique(table.group) if known[table.group == g].any()]
    fold = np.zeros(table.n_epochs, np.int64)
    if len(groups) > 1:
        sizes = {g: int(known[table.group == g].sum()) for g in groups}
        filled = np.zeros(min(n_folds, len(groups)), np.int64)
        for group in sorted(groups, key=lambda g: (-sizes[g], g)):
            emptiest = int(np.argmin(filled))
            fold[table.group == group] = emptiest
            filled[emptiest] += sizes[group]
        return fold
    n_known = int(known.sum())
    n_blocks = min(n_folds * _BLOCKS_PER_FOLD, n_known // _MIN_BLOCK_EPOCHS)
    if n_blocks < n_folds:
        raise BadParameters(
            f"{n_known} labelled epochs are too few to hold out {n_folds} parts of them",
            where="cross-validation",
            remedy=f"label at least {n_folds * _MIN_BLOCK_EPOCHS} epochs, in stretches of minutes",
        )
    # Blocks of as many labels each, cut in time.
    block = np.minimum((np.cumsum(known) - known) * n_blocks // n_known, n_blocks - 1)
    return np.asarray(block % n_folds, np.int64)


def find_trainable(
    fold: NDArray[np.int64], starts: Mask, held_out: int, *, reach_epochs: int
) -> Mask:
    """Epochs of other folds whose neighbours, as far as features look, are of other folds too.

    Returns
    -------
    (n_epochs,)
    """
    inside = fold == held_out
    near = inside.copy()
    stretch = np.cumsum(starts)
    for shift in range(1, min(2 * reach_epochs, len(fold) - 1) + 1):
        same = stretch[shift:] == stretch[:-shift]
        near[shift:] |= inside[:-shift] & same
        near[:-shift] |= inside[shift:] & same
    return np.asarray(~near)
