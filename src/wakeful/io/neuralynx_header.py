"""The 16 KiB text at the start of every Neuralynx file, as Cheetah 4 to 6 and Pegasus wrote it.

Lines of the form `-Key value` (older versions separate with tabs), and remarks that begin with
`##`. Read leniently: spelling and order differ from version to version, and what is missing is
missing. Dates are local time without a zone, in several styles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain

from wakeful.model.errors import BadRecording

HEADER_BYTES = 16_384

_PROPERTY = re.compile(r"-\s*([A-Za-z][A-Za-z0-9_]*)(.*)")
_ZEROS = re.compile("\0+")
_DAY_LAST = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?!\d)")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?")
_OPENED = re.compile(r"#+\s*(?:Time|Date) Opened", re.IGNORECASE)

_LINES_KEPT = 512
"""Headers of one recording have most of their lines in common: these are taken apart once."""

_MAX_RATE_HZ = 1e6
_MAX_DELAY_S = 10.0


@dataclass(frozen=True)
class HeaderText:
    """The header's properties, whatever kind of file it is of."""

    values: Mapping[str, str]
    """Key in small letters -> value."""
    lines: tuple[str, ...]

    @property
    def opened(self) -> datetime | None:
        """When the file was made: local time, without a zone."""
        return _read_date(self.lines, self.values)


@dataclass(frozen=True, kw_only=True)
class NeuralynxHeader:
    """What the header of a .ncs file says."""

    name: str
    """AcqEntName; "" where it is missing."""
    rate_hz: float | None
    gain_uv: float
    """Microvolts per step, with the sign that undoes an inverted input."""
    polarity: int
    """-1 where the input was inverted."""
    highpass_hz: float | None
    lowpass_hz: float | None
    reference: str
    opened: datetime | None
    """When the file was made: local time, without a zone."""
    closed: datetime | None
    """When it was closed; None where the header does not say, as long as it is being written."""
    filter_delay_s: float | None
    """By how much the samples are later than their time stamps say, because of the digital
    filters: 0 where the acquisition has made up for it; None where the header does not say."""
    warnings: tuple[str, ...]


def read_header_text(raw: bytes, where: str) -> HeaderText:
    """Split the header of a Neuralynx file (.ncs, .nev, .nvt) into its properties.

    Parameters
    ----------
    raw : the first 16,384 bytes
    where : the file, for errors

    Raises
    ------
    BadRecording
        It is not a Neuralynx header.
    """
    text = _cut_zeros(raw).decode("latin-1")
    if not text:
        raise BadRecording(
            "the header holds nothing but zeros",
            where=where,
            remedy="the copy is not complete: copy the file again",
        )
    values: dict[str, str] = {}
    lines = [line.strip() for line in _ZEROS.sub("\n", text).splitlines()]
    for line in lines:
        if (found := _split_property(line)) is not None:
            values.setdefault(*found)
    if not text.lstrip().startswith("#") and len(values) < 3:
        raise BadRecording(
            "the file does not begin with a Neuralynx header",
            where=where,
            remedy="copy it again, or move it out of the folder",
        )
    return HeaderText(values, tuple(lines))


@lru_cache(maxsize=_LINES_KEPT)
def _split_property(line: str) -> tuple[str, str] | None:
    """Key in small letters and value; None where the line is none."""
    match = _PROPERTY.match(line)
    return (match[1].lower(), match[2].strip().strip('"').strip()) if match else None


def _cut_zeros(raw: bytes) -> bytes:
    """Without the zeros at the end: all but a few hundred bytes, as a rule."""
    first = raw.find(bytes(64))
    if first >= 0 and raw.endswith(bytes(len(raw) - first)):
        raw = raw[:first]
    return raw.rstrip(b"\0")


def read_header(raw: bytes, where: str) -> NeuralynxHeader:
    """Parse the header of a .ncs file.

    Parameters
    ----------
    raw : the first 16,384 bytes
    where : the file, for errors

    Raises
    ------
    BadRecording
        It is not a Neuralynx header, or does not say how many volts a step is.
    """
    text = read_header_text(raw, where)
    values = text.values
    warnings: list[str] = []
    inverted = values.get("inputinverted", "").lower() in ("true", "1", "yes")
    gain_uv = _read_gain(values, where, warnings)
    return NeuralynxHeader(
        name=values.get("acqentname", ""),
        rate_hz=_number(values, "samplingfrequency", upper=_MAX_RATE_HZ),
        gain_uv=-gain_uv if inverted else gain_uv,
        polarity=-1 if inverted else 1,
        highpass_hz=_read_corner(values, "low", "amplowcut"),
        lowpass_hz=_read_corner(values, "high", "amphicut"),
        reference=values.get("referencechannel", "") or "unknown",
        opened=text.opened,
        closed=_parse_date(values.get("timeclosed", "")),
        filter_delay_s=_read_delay(values, where, warnings),
        warnings=tuple(warnings),
    )


def _read_gain(values: Mapping[str, str], where: str, warnings: list[str]) -> float:
    volts = _number(values, "adbitvolts", upper=1.0)
    if volts is not None:
        return volts * 1e6
    range_uv = _number(values, "inputrange", upper=1e8)
    steps = _number(values, "admaxvalue", upper=2**31)
    if range_uv is None or steps is None:
        raise BadRecording(
            "the header does not say how many volts a step is (ADBitVolts)",
            where=where,
            remedy="copy the file again; if the original is the same, add a line "
            "'-ADBitVolts 0.00000003' with the right number to a copy of it",
        )
    warnings.append(
        f"{where}: no ADBitVolts in the header; the gain is InputRange / ADMaxValue "
        f"= {range_uv / steps:.6g} uV"
    )
    return range_uv / steps


def _read_corner(values: Mapping[str, str], side: str, of_amplifier: str) -> float | None:
    """Corner of the hardware filter; None where it is off or the header does not say."""
    enabled = values.get(f"dsp{side}cutfilterenabled", "").lower()
    if enabled:
        if enabled in ("false", "0", "no"):
            return None
        return _number(values, f"dsp{side}cutfrequency", upper=_MAX_RATE_HZ)
    return _number(values, of_amplifier, upper=_MAX_RATE_HZ)


def _read_delay(values: Mapping[str, str], where: str, warnings: list[str]) -> float | None:
    """From DspDelayCompensation and DspFilterDelay_us (with the Greek letter: the key ends at
    it, and what is left of it leads the value).
    """
    made_up = values.get("dspdelaycompensation", "").lower()
    if made_up in ("enabled", "true", "1", "yes"):
        return 0.0
    key = next((key for key in values if key.startswith("dspfilterdelay")), None)
    words = values[key].split() if key else []
    try:
        delay_s = float(words[-1]) * 1e-6 if words else math.nan
    except ValueError:
        return None
    if not 0 <= delay_s <= _MAX_DELAY_S or made_up not in ("disabled", "false", "0", "no"):
        return None
    if delay_s > 0:
        warnings.append(
            f"{where}: samples lag behind their time stamps by {delay_s * 1e3:.3g} ms, as the "
            "delay of the digital filters was not compensated (DspDelayCompensation)"
        )
    return delay_s


def _number(values: Mapping[str, str], key: str, *, upper: float) -> float | None:
    """The first number of a value where it is above zero and not above `upper`."""
    words = values.get(key, "").split()
    try:
        number = float(words[0]) if words else math.nan
    except ValueError:
        return None
    return number if 0 < number <= upper else None


def _read_date(lines: Sequence[str], values: Mapping[str, str]) -> datetime | None:
    for candidate in chain(
        (values.get("timecreated", ""), values.get("timeopened", "")),
        (line for line in lines if _OPENED.match(line)),
    ):
        found = _parse_date(candidate)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=_LINES_KEPT)
def _parse_date(text: str) -> datetime | None:
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    if (match := _DAY_LAST.search(text)) is not None:
        year, month, day = (int(part) for part in match.groups())
    elif (match := _YEAR_LAST.search(text)) is not None:
        month, day, year = (int(part) for part in match.groups())
        year += 2000 if year < 100 else 0
    else:
        return None
    microsecond = int((clock[4] or "0").ljust(6, "0"))
    try:
        # Local time of a clock whose zone the file does not give.
        return datetime(  # noqa: DTZ001
            year, month, day, int(clock[1]), int(clock[2]), int(clock[3]), microsecond
        )
    except ValueError:
        return None
