"""What a channel records, guessed from its name."""

from __future__ import annotations

import re

from wakeful.model.subject import ChannelKind

_INSIDE: tuple[tuple[ChannelKind, tuple[str, ...]], ...] = (
    (ChannelKind.EMG, ("emg", "nuchal")),
    (ChannelKind.TTL, ("ttl", "trig", "digital")),
    (ChannelKind.OTHER, ("ecg", "ekg", "eog", "accel", "aux", "adc", "vdd", "airflow", "pleth")),
    (ChannelKind.EEG, ("eeg", "ecog")),
)
"""Letters that may stand anywhere in a name; no brain area is written with them."""

_WHOLE: dict[str, ChannelKind] = {
    "sync": ChannelKind.TTL,
    "din": ChannelKind.TTL,
    "dig": ChannelKind.TTL,
    "event": ChannelKind.TTL,
    "events": ChannelKind.TTL,
    "status": ChannelKind.TTL,
    "air": ChannelKind.OTHER,
    "resp": ChannelKind.OTHER,
    "temp": ChannelKind.OTHER,
    "photo": ChannelKind.OTHER,
    "mic": ChannelKind.OTHER,
    "laser": ChannelKind.OTHER,
    "stim": ChannelKind.OTHER,
    "speed": ChannelKind.OTHER,
    "acc": ChannelKind.LFP,
}
"""Words that count only when they stand alone ("acc" is a brain area as often as a sensor)."""


def guess_kind(name: str) -> ChannelKind:
    """What a channel records, from its name; local field potential where nothing says otherwise.

    Used by every reader for which the files themselves don't say. A channels file overrides it.

    Parameters
    ----------
    name : as the acquisition wrote it: "CSC12", "EMG_neck", "xEKG1", "Trigger", "A-AUX1"

    Returns
    -------
    The first that fits, whatever the case: EMG ("emg" anywhere in the name), TTL ("ttl", "trig",
    "digital", or a word like "sync"), OTHER (heart, eyes, breath, acceleration, auxiliary and
    analogue inputs, supply voltage), EEG ("eeg", "ecog"), else LFP.
    """
    lower = name.lower()
    for kind, parts in _INSIDE:
        if any(part in lower for part in parts):
            return kind
    for word in re.findall(r"[a-z]+", lower):
        kind_of_word = _WHOLE.get(word) or _WHOLE.get(word.removeprefix("x"))
        if kind_of_word is not None:
            return kind_of_word
    return ChannelKind.LFP
