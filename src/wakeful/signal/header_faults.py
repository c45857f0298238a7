"""What the files' headers say of channels that a reader of the results must know."""

from __future__ import annotations

from collections.abc import Sequence

from wakeful.model.subject import Channel

MAX_DELTA_CORNER_HZ = 0.5
TRUSTED_FROM_CORNERS = 2.0
"""A band is trusted from this many times the high-pass corner on: there a filter of first order
takes a fifth of the power, and at its corner half of it."""


def trusted_from_hz(channel: Channel) -> float:
    """The lowest frequency at which a channel's power is to be believed.

    0 where the corner is not known: then nothing speaks against it, and a note says so.
    """
    return TRUSTED_FROM_CORNERS * (channel.highpass_hz or 0.0)


def why_no_delta(channels: Sequence[Channel]) -> str:
    """Why no brain channel can give delta (1-4 Hz); "" where one can, or there is none."""
    corners = [c.highpass_hz for c in channels if c.kind.is_brain]
    if not corners or any(c is None or c <= MAX_DELTA_CORNER_HZ for c in corners):
        return ""
    known = sorted({c for c in corners if c is not None})
    return f"hardware high-pass of {_list_hz(known)}: delta can't be trusted"


def describe_headers(channels: Sequence[Channel]) -> tuple[str, ...]:
    """Mixed polarity, high-pass corners that forbid delta or are not known, and the delay of the
    acquisition's filters; in a fixed order.
    """
    brain = [c for c in channels if c.kind.is_brain]
    notes: list[str] = []
    for region in dict.fromkeys(c.region for c in brain):
        members = [c for c in brain if c.region == region]
        turned = [c.name for c in members if c.polarity < 0]
        if 0 < len(turned) < len(members):
            notes.append(
                f"{region}: polarity differs between channels (inverted by the acquisition: "
                f"{_list_names(turned)}); the gain undoes it, so check that it is true"
            )
    corners = sorted({c.highpass_hz for c in brain if c.highpass_hz is not None})
    for corner_hz in corners:
        if corner_hz > MAX_DELTA_CORNER_HZ:
            names = [c.name for c in brain if c.highpass_hz == corner_hz]
            notes.append(
                f"hardware high-pass of {corner_hz:g} Hz: delta can't be trusted "
                f"({_list_names(names)})"
            )
    unknown = [c.name for c in brain if c.highpass_hz is None]
    if unknown:
        which = "every channel" if len(unknown) == len(brain) else _list_names(unknown)
        notes.append(f"hardware high-pass not known ({which}): delta is taken as it is")
    for delay_s in sorted({c.filter_delay_s for c in brain if c.filter_delay_s}):
        late = _list_names([c.name for c in brain if c.filter_delay_s == delay_s])
        notes.append(describe_filter_delay(late, delay_s))
    return tuple(notes)


def describe_filter_delay(names: str, delay_s: float | None) -> str:
    """What is to be said of the delay of the acquisition's filters; "" where there is none, or it
    is not known.
    """
    if not delay_s:
        return ""
    return f"{names}: the acquisition's filters delay the signal by {delay_s * 1e6:.0f} µs"


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _list_hz(values_hz: Sequence[float]) -> str:
    return " or ".join(f"{value:g} Hz" for value in values_hz)
