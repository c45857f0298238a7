"""The .meta file beside every SpikeGLX .bin file: channels, gains, rate, place in the run.

Tags as in the descriptions of SpikeGLX metadata from phase 3A to 3.0. Microvolts a step are
range / largest integer / gain; the gain is a channel's own for Neuropixels 1.0, one for all for
Neuropixels 2.0, and that of the amplifier for National Instruments cards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel, ChannelKind

MAX_BYTES = 16 * 1024 * 1024
"""Of the file; those of large probes take less than one."""

_MAX_CHANNELS = 65_536
_MAX_RATE_HZ = 1e7
_NAME = re.compile(
    r"(?P<run>.+?)(?:_g(?P<gate>\d{1,9})_t(?P<trigger>\d{1,9}|cat))?"
    r"\.(?P<device>imec\d*|nidq|obx\d+)(?:\.(?P<band>ap|lf|obx))?$"
)
_IMEC_1 = {0, 1015, 1016, 1017, 1020, 1022, 1030, 1032, 1033, 1100, 1120, 1121, 1122, 1123, 1200,
           1210, 1300, 3000}  # fmt: skip
"""Probe types whose table holds a gain for every channel (phase 3A is 0 too)."""
_SERIAL_NUMBERS = 50_000
_UHD_2 = 1110
"""The probe type whose gains stand in the head of the table."""
_FIXED_GAIN = {21: 80.0, 24: 80.0} | dict.fromkeys(
    (2003, 2004, 2005, 2006, 2013, 2014, 2020, 2021, 2022, 3010, 3011, 3012, 3020, 3021, 3022,
     3023, 3024), 100.0
)  # fmt: skip
_MAX_INT = {21: 8192.0, 24: 8192.0}
"""Where imMaxInt is missing: 14 bits; all others of that time have ten."""


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What a .meta file says, as far as it is used."""

    run: str
    gate: int
    trigger: int
    """-1 where the files were joined (tcat), or the name does not say."""
    stream: str
    """ "imec0.ap", "imec1.lf", "nidq", "obx0"."""
    rate_hz: float
    """As it was measured."""
    channels: tuple[Channel, ...]
    digital: tuple[int, ...]
    """Columns that hold digital words, in order."""
    first_sample: int | None
    """Counted from the run's start; None where the file does not say."""
    n_bytes: int | None
    """Of the .bin file; None while it is being written."""
    opened: datetime | None
    """When the file was made: local time, carried as if UTC."""


def stream_of(name: str) -> str:
    """The stream that a .bin file holds, from its name without the ending; "" for other names."""
    match = _NAME.match(name)
    return "" if match is None else _stream_name(match)


def _stream_name(match: re.Match[str]) -> str:
    band = match["band"] if match["band"] in ("ap", "lf") else None
    return str(match["device"]) + (f".{band}" if band else "")


def parse_meta(raw: bytes, name: str, where: str) -> Meta:
    """Read a .meta file.

    Parameters
    ----------
    raw : the whole file
    name : of the .bin file as it is called now, without its ending
    where : the .meta file, for errors

    Raises
    ------
    BadRecording
        It is damaged, or of a probe whose gains are unknown; names all that is wrong.
    """
    values: dict[str, str] = {}
    for line in re.split(r"[\r\n]+", raw.decode("utf-8", errors="replace")):
        key, equals, value = line.partition("=")
        if equals:
            values.setdefault(key.strip().lstrip("~"), value.strip())
    reading = _Reading(values, [])
    kind = values.get("typeThis", "imec" if "snsApLfSy" in values else "")
    match = _NAME.match(name)
    if match is None:
        reading.problems.append(
            f"the file's name {name[:60]!r} is not one of SpikeGLX (run_g0_t0.imec0.ap)"
        )
    n_saved = reading.whole("nSavedChans", 1, _MAX_CHANNELS)
    channels: tuple[Channel, ...] = ()
    if n_saved is not None and not reading.problems:
        channels = _read_channels(reading, kind, n_saved, match)
    rate_hz = reading.number(
        {"imec": "imSampRate", "nidq": "niSampRate", "obx": "obSampRate"}.get(kind, "imSampRate")
    )
    if rate_hz is not None and rate_hz > _MAX_RATE_HZ:
        reading.problems.append(f"a rate of {rate_hz:g} Hz")
    if reading.problems or match is None or rate_hz is None:
        more = f" | and {len(reading.problems) - 6} more" if len(reading.problems) > 6 else ""
        raise BadRecording(
            " | ".join(reading.problems[:6]) + more,
            where=where,
            remedy="the file is damaged or was changed: copy it again",
        )
    trigger = match["trigger"]
    return Meta(
        run=match["run"],
        gate=int(match["gate"] or -1),
        trigger=int(trigger) if trigger and trigger != "cat" else -1,
        stream=_stream_name(match),
        rate_hz=rate_hz,
        channels=channels,
        digital=tuple(i for i, c in enumerate(channels) if c.kind is ChannelKind.TTL),
        first_sample=reading.optional_whole("firstSample"),
        n_bytes=reading.optional_whole("fileSizeBytes"),
        opened=_read_date(values.get("fileCreateTime_original", values.get("fileCreateTime", ""))),
    )


@dataclass(frozen=True)
class _Reading:
    values: Mapping[str, str]
    problems: list[str]

    def number(self, key: str) -> float | None:
        """A number above zero; a problem where there is none."""
        text = self.values.get(key)
        try:
            number = float(text) if text is not None else math.nan
        except ValueError:
            number = math.nan
        if 0 < number < 1e12:
            return number
        self.problems.append(f"no {key}" if text is None else f"{key} is {text[:20]!r}")
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        text = self.values.get(key)
        number = _to_int(text or "")
        if number is not None and low <= number <= high:
            return number
        self.problems.append(f"no {key}" if text is None else f"{key} is {text[:20]!r}")
        return None

    def optional_whole(self, key: str) -> int | None:
        number = _to_int(self.values.get(key, ""))
        return number if number is not None and number >= 0 else None

    def counts(self, key: str, n: int) -> list[int] | None:
        """Numbers of channels of each type, "384,0,1"."""
        text = self.values.get(key, "")
        found = [_to_int(part) for part in text.split(",")]
        if len(found) == n and all(c is not None and 0 <= c <= _MAX_CHANNELS for c in found):
            return [c for c in found if c is not None]
        self.problems.append(f"no {key}" if not text else f"{key} is {text[:20]!r}")
        return None


def _to_int(text: str) -> int | None:
    text = text.strip()
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _read_channels(
    reading: _Reading, kind: str, n_saved: int, match: re.Match[str] | None
) -> tuple[Channel, ...]:
    """Name, kind and gain of every saved channel, in the order of a frame."""
    if kind == "imec":
        gains, kinds, names = _read_imec(reading, n_saved, (match and match["band"]) or "ap")
    elif kind == "nidq":
        gains, kinds, names = _read_nidq(reading)
    elif kind == "obx":
        gains, kinds, names = _read_obx(reading)
    else:
        reading.problems.append(
            f"typeThis is {reading.values.get('typeThis', '')[:20]!r}, not imec, nidq or obx"
        )
        return ()
    if reading.problems:
        return ()
    if len(kinds) != n_saved:
        reading.problems.append(f"{n_saved} channels saved, but {len(kinds)} described")
        return ()
    mapped = re.findall(r"\(([^();]{1,40});", reading.values.get("snsChanMap", ""))
    if len(mapped) == n_saved:
        names = mapped
    return tuple(
        Channel(name=name, kind=of_channel, gain_uv=gain)
        for name, of_channel, gain in zip(names, kinds, gains, strict=True)
    )


_Columns = tuple[list[float], list[ChannelKind], list[str]]


def _read_imec(reading: _Reading, n_saved: int, band: str) -> _Columns:
    saved = reading.counts("snsApLfSy", 3)
    vmax = reading.number("imAiRangeMax")
    if saved is None or vmax is None:
        return [], [], []
    n_ap, n_lf, n_sync = saved
    kinds = [ChannelKind.LFP] * (n_ap + n_lf) + [ChannelKind.TTL] * n_sync
    if len(kinds) != n_saved:
        return [], kinds, []
    acquired = reading.counts("acqApLfSy", 3) if "acqApLfSy" in reading.values else [384, 384, 1]
    if acquired is None:
        return [], [], []
    places = _read_subset(reading, n_saved, n_ap, acquired)
    head, rows = _read_table(reading.values.get("imroTbl", ""))
    probe = _to_int(reading.values.get("imDatPrb_type", ""))
    if probe is None:
        # In phase 3A the head of the table begins with the serial number of the probe.
        is_type = head and head[0] < _SERIAL_NUMBERS and "imProbeOpt" not in reading.values
        probe = int(head[0]) if is_type else 0
    largest = _MAX_INT.get(probe, 512.0)
    if "imMaxInt" in reading.values:
        given = reading.number("imMaxInt")
        if given is None:
            return [], [], []
        largest = given
    gains: list[float] = []
    for i, place in enumerate(places[: n_ap + n_lf]):
        is_lf = i >= n_ap
        channel = place - acquired[0] if is_lf and place >= acquired[0] else place
        gain = _find_gain(reading, probe, head, rows, channel, is_lf)
        if gain is None:
            reading.problems.append(
                f"the {'LF' if is_lf else 'AP'} gain of channel {channel} is not there "
                f"(probe type {probe}, band {band})"
            )
            return [], [], []
        gains.append(vmax / largest / gain * 1e6)
    names = [f"LF{p}" if i >= n_ap else f"AP{p}" for i, p in enumerate(places[: n_ap + n_lf])] + [
        f"SY{i}" for i in range(n_sync)
    ]
    return gains + [1.0] * n_sync, kinds, names


def _find_gain(
    reading: _Reading,
    probe: int,
    head: list[float],
    rows: Mapping[int, list[float]],
    channel: int,
    is_lf: bool,
) -> float | None:
    gain: float | None = None
    row = rows.get(channel, [])
    if probe in _IMEC_1 and len(row) >= 5:
        gain = row[4] if is_lf else row[3]
    elif probe == _UHD_2 and len(head) >= 5:
        gain = head[4] if is_lf else head[3]
    else:
        key = "imChan0lfGain" if is_lf and "imChan0lfGain" in reading.values else "imChan0apGain"
        if key in reading.values:
            gain = reading.number(key)
        else:
            gain = _FIXED_GAIN.get(probe)
    return gain if gain is not None and 0 < gain < 1e6 else None


def _read_table(text: str) -> tuple[list[float], dict[int, list[float]]]:
    """Head of ~imroTbl, and its rows by channel."""
    entries = [_to_numbers(entry) for entry in re.findall(r"\(([^()]{1,200})\)", text)]
    rows = {int(entry[0]): entry for entry in entries[1:] if entry}
    return (entries[0] if entries else []), rows


def _to_numbers(text: str) -> list[float]:
    found = [_to_int(part) for part in re.split(r"[ ,]+", text.strip())]
    return [float(n) for n in found if n is not None]


def _read_subset(reading: _Reading, n_saved: int, n_ap: int, acquired: list[int]) -> list[int]:
    """Number, among those acquired, of every channel saved."""
    text = reading.values.get("snsSaveChanSubset", "")
    places: list[int] = []
    if text and text != "all":
        for part in text.split(","):
            first, colon, last = part.partition(":")
            a = _to_int(first)
            b = _to_int(last) if colon else a
            if a is None or b is None or not a <= b <= _MAX_CHANNELS:
                reading.problems.append(f"snsSaveChanSubset is {text[:40]!r}")
                return []
            places += range(a, b + 1)
            if len(places) > n_saved:
                break
        if len(places) == n_saved:
            return places
        reading.problems.append(
            f"snsSaveChanSubset names {'more' if len(places) > n_saved else 'fewer'} than the "
            f"{n_saved} channels saved"
        )
        return []
    n_lf = n_saved - n_ap
    return [*range(n_ap), *range(acquired[0], acquired[0] + n_lf)]


def _read_nidq(reading: _Reading) -> _Columns:
    saved = reading.counts("snsMnMaXaDw", 4)
    vmax = reading.number("niAiRangeMax")
    if saved is None or vmax is None:
        return [], [], []
    largest = reading.number("niMaxInt") if "niMaxInt" in reading.values else 32_768.0
    mn, ma, xa, dw = saved
    of_mn = reading.number("niMNGain") if mn else 1.0
    of_ma = reading.number("niMAGain") if ma else 1.0
    if largest is None or of_mn is None or of_ma is None:
        return [], [], []
    step = vmax / largest * 1e6
    gains = [step / of_mn] * mn + [step / of_ma] * ma + [step] * xa + [1.0] * dw
    kinds = [ChannelKind.LFP] * mn + [ChannelKind.OTHER] * (ma + xa) + [ChannelKind.TTL] * dw
    names = [f"MN{i}" for i in range(mn)] + [f"MA{i}" for i in range(ma)]
    return gains, kinds, names + [f"XA{i}" for i in range(xa)] + [f"XD{i}" for i in range(dw)]


def _read_obx(reading: _Reading) -> _Columns:
    saved = reading.counts("snsXaDwSy", 3)
    vmax, largest = reading.number("obAiRangeMax"), reading.number("obMaxInt")
    if saved is None or vmax is None or largest is None:
        return [], [], []
    xa, dw, sy = saved
    gains = [vmax / largest * 1e6] * xa + [1.0] * (dw + sy)
    kinds = [ChannelKind.OTHER] * xa + [ChannelKind.TTL] * (dw + sy)
    names = [f"XA{i}" for i in range(xa)] + [f"XD{i}" for i in range(dw)]
    return gains, kinds, names + [f"SY{i}" for i in range(sy)]


def _read_date(text: str) -> datetime | None:
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)", text)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
