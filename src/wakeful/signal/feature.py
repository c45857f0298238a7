"""What a feature of an epoch is: a name, a unit, a formula and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One number per epoch; of a region, of a pair of regions, or of the animal."""

    name: str
    """As in a column: "log_power_theta"."""
    unit: str
    """"" for a pure number."""
    formula: str
    """In words and symbols, exact enough to compute it again."""
    source: str
    """The paper, or the reason."""
