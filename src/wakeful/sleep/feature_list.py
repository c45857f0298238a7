"""Every feature there is, and the columns that a table of them has.

Columns are named `REGION.FEATURE`, `REGION~REGION.FEATURE` or, of the whole animal, `FEATURE`;
what looks at the neighbours in time has their place behind: `CA1.log_power_delta.mean_60s`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from wakeful.signal.epoch_shape import SHAPE
from wakeful.signal.epoch_spectrum import SPECTRUM
from wakeful.signal.feature import Feature
from wakeful.signal.region_pairs import PAIRS, pairs_of

Group = Literal["spectrum", "shape", "pairs", "muscle", "neighbours"]
GROUPS: tuple[Group, ...] = ("spectrum", "shape", "pairs", "muscle", "neighbours")
TITLES: dict[Group, str] = {
    "spectrum": "Spectrum",
    "shape": "Shape of the signal",
    "pairs": "Pairs of regions",
    "muscle": "Muscle tone",
    "neighbours": "Neighbours in time",
}

MUSCLE = (
    Feature(
        name="log_emg",
        unit="ln uV",
        formula="ln of the root mean square of the EMG in its band (step muscle)",
        source="muscle tone tells REM from waking",
    ),
    Feature(
        name="lfp_emg",
        unit="",
        formula="mean correlation of 300 to 600 Hz between distant brain channels (step muscle)",
        source="Schomburg et al. 2014, Neuron 84: 470",
    ),
)

KEY_FEATURES = ("log_power_delta", "log_ratio_theta_delta", "log_emg", "lfp_emg")
"""Those that neighbours in time are looked at of; the first two of every region."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A look at the epochs around."""

    name: str
    formula: str
    kind: Literal["lag", "mean", "median"]
    lag: int = 0
    """Epochs; negative for those before."""
    window_s: float = 0.0


_LAGS = (-2, -1, 1, 2)
_WINDOWS: tuple[tuple[Literal["mean", "median"], float], ...] = (
    ("mean", 12.0),
    ("mean", 60.0),
    ("median", 300.0),
)
_NO_HOLE = "never across a hole in the recording"

NEIGHBOURS = (
    *(
        Neighbour(
            name=f"{'before' if lag < 0 else 'after'}_{abs(lag)}",
            formula=f"its value {abs(lag)} epoch{'s' if abs(lag) > 1 else ''} "
            f"{'before' if lag < 0 else 'after'}; {_NO_HOLE}",
            kind="lag",
            lag=lag,
        )
        for lag in _LAGS
    ),
    *(
        Neighbour(
            name=f"{kind}_{window_s:.0f}s",
            formula=f"its {kind} over the {window_s:g} s around the epoch, missing values left "
            f"out; {_NO_HOLE}",
            kind=kind,
            window_s=window_s,
        )
        for kind, window_s in _WINDOWS
    ),
)
NEIGHBOUR_SOURCE = "Vallat & Walker 2021, eLife 10: e70092 (smoothed and lagged features)"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table of features."""

    name: str
    unit: str
    group: Group
    feature: str
    """Its name without regions and neighbours."""
    regions: tuple[str, ...]
    of: int = -1
    """For a neighbour: the column it looks at."""
    neighbour: Neighbour | None = None


def list_columns(regions: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns of a recording with these regions.

    Parameters
    ----------
    regions : in the order of the channels

    Returns
    -------
    First those of each region (spectrum, then shape), then pairs, muscle, and neighbours.
    """
    columns: list[Column] = []

    def add(group: Group, feature: Feature, *of: str) -> None:
        place = "~".join(of)
        columns.append(
            Column(
                name=f"{place}.{feature.name}" if place else feature.name,
                unit=feature.unit,
                group=group,
                feature=feature.name,
                regions=of,
            )
        )

    for region in regions:
        for feature in SPECTRUM:
            add("spectrum", feature, region)
        for feature in SHAPE:
            add("shape", feature, region)
    for a, b in pairs_of(len(regions)):
        for feature in PAIRS:
            add("pairs", feature, regions[a], regions[b])
    for feature in MUSCLE:
        add("muscle", feature)
    keys = [i for i, column in enumerate(columns) if column.feature in KEY_FEATURES]
    for i in keys:
        for neighbour in NEIGHBOURS:
            of = columns[i]
            columns.append(
                Column(
                    name=f"{of.name}.{neighbour.name}",
                    unit=of.unit,
                    group="neighbours",
                    feature=f"{of.feature}.{neighbour.name}",
                    regions=of.regions,
                    of=i,
                    neighbour=neighbour,
                )
            )
    return tuple(columns)


def reach_s(epoch_s: float) -> float:
    """How far from an epoch's start the starts of its neighbours lie at most."""
    windows = [half_window(n.window_s, epoch_s) * epoch_s for n in NEIGHBOURS]
    return max(*windows, max(abs(n.lag) for n in NEIGHBOURS) * epoch_s)


def half_window(window_s: float, epoch_s: float) -> int:
    """How many epochs a window reaches to either side of the one in its middle."""
    return max(0, (math.floor(window_s / epoch_s + 1e-9) - 1) // 2)


def describe_features() -> tuple[tuple[Group, Feature], ...]:
    """Every feature once, with its group: what the reference and its test are made from."""
    described: list[tuple[Group, Feature]] = []
    groups: tuple[tuple[Group, tuple[Feature, ...]], ...] = (
        ("spectrum", SPECTRUM),
        ("shape", SHAPE),
        ("pairs", PAIRS),
        ("muscle", MUSCLE),
    )
    for group, features in groups:
        described += [(group, feature) for feature in features]
    plain = {feature.name: feature for _, feature in described}
    for key in KEY_FEATURES:
        for neighbour in NEIGHBOURS:
            described.append(
                (
                    "neighbours",
                    Feature(
                        name=f"{key}.{neighbour.name}",
                        unit=plain[key].unit,
                        formula=f"of {key}: {neighbour.formula}",
                        source=NEIGHBOUR_SOURCE,
                    ),
                )
            )
    return tuple(described)
