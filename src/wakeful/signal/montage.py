"""Which signals stand for a region: differences of two of its channels, or channels as recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from wakeful.model.subject import UNKNOWN_REGION, Channel

MOST = 4
"""Signals to choose from: where the first has a bad channel the next takes its place."""


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """One signal: a channel, or a channel less another one of its region."""

    plus: int
    """Number of the channel."""
    minus: int = -1
    """Number of the channel taken away; -1 for none."""
    name: str
    """"c1 - c4", or "c1"."""

    @property
    def is_bipolar(self) -> bool:
        """Whether a reference that both channels share cancels."""
        return self.minus >= 0

    @property
    def rows(self) -> tuple[int, ...]:
        """The channels it is made of."""
        return (self.plus, self.minus) if self.is_bipolar else (self.plus,)


@dataclass(frozen=True, kw_only=True)
class RegionMontage:
    """The signals that can stand for a region, the best first."""

    region: str
    derivations: tuple[Derivation, ...]

    @property
    def is_bipolar(self) -> bool:
        """Whether all of them are; they are of one kind."""
        return self.derivations[0].is_bipolar


def choose_montages(
    channels: Sequence[Channel], *, bipolar: bool = True
) -> tuple[RegionMontage, ...]:
    """Signals for every region of the brain channels.

    Bipolar derivations are made of two channels of one region with the same reference, those that
    lie furthest apart first (by their places where all are known, else by their order); the first
    ones share no channel, so that one bad channel spoils one of them. A region with no two such
    channels is taken as recorded.

    Parameters
    ----------
    bipolar : False to take every region as recorded
    """
    regions: dict[str, list[int]] = {}
    for i, channel in enumerate(channels):
        if channel.kind.is_brain:
            regions.setdefault(channel.region, []).append(i)
    return tuple(
        RegionMontage(
            region=region,
            derivations=(_bipolar(channels, members) if bipolar else ())
            or tuple(Derivation(plus=i, name=channels[i].name) for i in members[:MOST]),
        )
        for region, members in regions.items()
    )


def _bipolar(channels: Sequence[Channel], members: Sequence[int]) -> tuple[Derivation, ...]:
    places = [(channels[i].x_mm, channels[i].y_mm, channels[i].z_mm) for i in members]
    known = all(v is not None for place in places for v in place)

    def apart(pair: tuple[int, int]) -> float:
        if known:
            return math.dist(places[pair[0]], places[pair[1]])  # type: ignore[arg-type]
        return float(pair[1] - pair[0])

    # Channels of no region known may lie anywhere: their difference is of no region either, but
    # what they share is gone all the same.
    pairs = [
        pair
        for pair in combinations(range(len(members)), 2)
        if channels[members[pair[0]]].reference == channels[members[pair[1]]].reference
    ]
    pairs.sort(key=lambda pair: (-apart(pair), pair))
    taken: set[int] = set()
    first = []
    for pair in pairs:
        if taken.isdisjoint(pair):
            first.append(pair)
            taken.update(pair)
    chosen = [*first, *(pair for pair in pairs if pair not in first)][:MOST]
    return tuple(
        Derivation(
            plus=members[a],
            minus=members[b],
            name=f"{channels[members[a]].name} - {channels[members[b]].name}",
        )
        for a, b in chosen
    )


def describe_conduction(
    channels: Sequence[Channel], montages: Sequence[RegionMontage]
) -> tuple[str, ...]:
    """Between which regions a shared reference or volume conduction may look like a connection."""
    plain = [m for m in montages if not m.is_bipolar]
    if not plain or len(montages) < 2:
        return ()
    references = sorted({channels[d.plus].reference for m in plain for d in m.derivations})
    names = ", ".join("unknown region" if m.region == UNKNOWN_REGION else m.region for m in plain)
    shared = "a reference they may share" if len(references) == 1 else "their references"
    against = f"{shared} ({', '.join(references)})" if len(plain) > 1 else "its reference"
    note = (
        f"not bipolar, but against {against}: {names}: what the reference picks up and what "
        "spreads through tissue (volume conduction) shows as coherence and phase locking; the "
        "phase-lag index leaves out what has no lag"
    )
    return (note,)
