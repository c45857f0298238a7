"""The kinds of scorers that can be trained."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Which scorer."""

    TREES = "trees"
    """Trees, each epoch alone."""
    TREES_RULES = "trees+rules"
    """Trees, then smoothing rules: what most labs run."""
    TREES_CONTEXT = "trees+context"
    """Trees that see neighbouring epochs."""
    TREES_HMM = "trees+hmm"
    """Trees and a plain hidden Markov model."""
    DISCRIMINANT_HMM = "lda+hmm"
    """Linear discriminant and a plain hidden Markov model."""
    SEMI_MARKOV = "semi-markov"
    """Trees, alone and with neighbours, and a semi-Markov model."""
    CHAIN_FIELD = "chain-field"
    """Trees, alone and with neighbours, and a conditional random field."""
