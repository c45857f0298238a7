"""What a scorer told states by, from the names of the features it looks at.

States that were told apart by a signal differ in that signal by definition: a comparison of them by
it says nothing new. Results therefore carry the names of these signals (`Hypnogram.signals`).
"""

from __future__ import annotations

from collections.abc import Sequence

from wakeful.sleep.feature_list import describe_features

_MOVEMENT = ("movement", "motion", "speed", "velocity", "acceler", "activity", "locomotion")
_OF_GROUP = {"spectrum": "spectrum", "shape": "shape", "pairs": "connectivity"}
_OF_MUSCLE = {"log_emg": "emg", "lfp_emg": "lfp emg"}
SIGNALS = (
    "delta",
    "theta ratio",
    "spectrum",
    "shape",
    "connectivity",
    "emg",
    "lfp emg",
    "movement",
    "other features",
)
"""All that `Hypnogram.signals` may hold, in order. "spectrum" is any power or ratio of powers,
"shape" any measure of the trace, which hangs on its power too."""


def signals_of(features: Sequence[str]) -> tuple[str, ...]:
    """The signals behind some features, in the order of `SIGNALS`.

    Parameters
    ----------
    features : as columns of a table are named; a lab's own are known by the words for movement and
        EMG in them, and are "other features" else
    """
    known = {feature.name: group for group, feature in describe_features()}
    found = set()
    for column in features:
        # REGION.FEATURE, REGION~REGION.FEATURE, FEATURE, and what looks at neighbours behind.
        parts = column.split(".")
        name = next((part for part in parts if part in known and known[part] != "neighbours"), "")
        found.add(_signal(name, known.get(name, ""), column.casefold()))
    return tuple(signal for signal in SIGNALS if signal in found)


def _signal(name: str, group: str, column: str) -> str:
    if name in _OF_MUSCLE:
        return _OF_MUSCLE[name]
    if group in _OF_GROUP:
        return _OF_GROUP[group]
    if any(word in column for word in _MOVEMENT):
        return "movement"
    return "emg" if "emg" in column else "other features"


def why_circular(signals: Sequence[str], compared: str) -> str:
    """Why states told by `signals` must not be compared by a signal; "" where they may.

    Parameters
    ----------
    compared : "spectrum", "emg", "lfp emg" or "movement"
    """
    bands = [s for s in ("delta", "theta ratio", "spectrum", "shape") if s in signals]
    if compared == "spectrum" and bands:
        what = " and ".join(bands)
        return (
            f"states were told apart by {what}: that they differ there is how they were made, not "
            "a finding"
        )
    if compared != "spectrum" and compared in signals:
        return (
            f"states were told apart by {compared}: that they differ in it is how they were made, "
            "not a finding"
        )
    return ""
