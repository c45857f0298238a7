"""Damaged files of the readers that parse bytes themselves: an error of ours, or the right answer.

Each input is a sound file after a few changes. What is right is told by a second, plain reading of
the same bytes. The long runs (a million inputs for .nev and .nvt) are marked slow.
"""

from __future__ import annotations

import io
import json
import math
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.flat import parse_flat
from wakeful.io.neuralynx_events import NevFile, NvtFile, parse_nev, parse_nvt
from wakeful.io.npy_files import parse_npy_header
from wakeful.io.oebin import parse_oebin
from wakeful.io.recording import read_recording
from wakeful.io.spikeglx_meta import parse_meta
from wakeful.model.errors import WakefulError
from wakeful.model.recording import Recording

HEADER = 16_384
MANY, FEW = 1_000_000, 10_000
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
_INSERTED = (b"9" * 30, b"-", b"\0", b"\xff\xfe", b"e400", b"\n", b"[" * 50)


def _mutate(base: bytes, rng: random.Random, hot: tuple[int, int]) -> bytes:
    """One to five changes; half of them where the file holds something."""
    raw = bytearray(base)
    for _ in range(rng.randint(1, 5)):
        if not raw:
            break
        low, high = hot if rng.random() < 0.5 else (0, len(raw))
        at = min(rng.randrange(low, max(high, low + 1)), len(raw) - 1)
        kind = rng.randrange(8)
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at] = rng.choice(_INTERESTING)
        elif kind == 2:
            n = rng.choice((1, 2, 4, 8))
            raw[at : at + n] = bytes([rng.choice((0, 255))]) * len(raw[at : at + n])
        elif kind == 3:
            raw[at] = rng.randrange(256)
        elif kind == 4:
            del raw[at:]
        elif kind == 5:
            del raw[at : at + rng.randint(1, 200)]
        elif kind == 6:
            raw[at:at] = raw[low : low + rng.randint(1, 200)]
        else:
            raw[at:at] = rng.choice(
                (b"9" * 30, b"-", b"\0", b"\xff\xfe", b"e400", b"\n", b"[" * 50)
            )
    return bytes(raw)


def _check_error(error: WakefulError) -> None:
    assert error.what
    assert error.remedy


def _run(
    base: bytes,
    n: int,
    seed: int,
    hot: tuple[int, int],
    parse: Callable[[bytes], object],
    check: Callable[[object, bytes], None],
) -> tuple[int, int]:
    """How many were read and how many refused; anything else fails."""
    rng = random.Random(seed)
    n_read = n_refused = 0
    for _ in range(n):
        raw = _mutate(base, rng, hot)
        try:
            found = parse(raw)
        except WakefulError as error:
            _check_error(error)
            n_refused += 1
            continue
        check(found, raw)
        n_read += 1
    return n_read, n_refused


def _sound(raw: bytes, size: int) -> list[bytes]:
    """The records of a Neuralynx file that are not damaged, told one by one."""
    records = [raw[at : at + size] for at in range(HEADER, len(raw) - size + 1, size)]
    return [
        record
        for record in records
        if int.from_bytes(record[:2], "little") in (0, 800, 2048)
        and int.from_bytes(record[6:14], "little") < 2**62
        and any(record)
    ]


def _check_nev(found: object, raw: bytes) -> None:
    assert isinstance(found, NevFile)
    records = _sound(raw, 184)
    assert found.tick_us.tolist() == [int.from_bytes(r[6:14], "little") for r in records]
    assert found.ttl.tolist() == [int.from_bytes(r[16:18], "little") for r in records]
    assert found.event_id.tolist() == [
        int.from_bytes(r[14:16], "little", signed=True) for r in records
    ]
    assert list(found.label) == [
        r[56:].split(b"\0", 1)[0].decode("latin-1").strip() for r in records
    ]


def _check_nvt(found: object, raw: bytes) -> None:
    assert isinstance(found, NvtFile)
    records = _sound(raw, 1828)
    assert found.tick_us.tolist() == [int.from_bytes(r[6:14], "little") for r in records]
    width, height = found.frame_px or (math.inf, math.inf)
    for record, got_x, got_y in zip(records, found.x_px.tolist(), found.y_px.tolist(), strict=True):
        x = int.from_bytes(record[1616:1620], "little", signed=True)
        y = int.from_bytes(record[1620:1624], "little", signed=True)
        if (x == 0 and y == 0) or not (0 <= x <= width and 0 <= y <= height):
            assert math.isnan(got_x)
            assert math.isnan(got_y)
        else:
            assert (got_x, got_y) == (x, y)


def _nev(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    texts = ["Starting Recording", "TTL Input on board 0 port 1 value (0x0020).", ""]
    base = files.flat.nev_bytes([10**12, 10**12 + 5, 10**12 + 9], ttl=[0, 32, 0], texts=texts)
    return _run(
        base, n, seed, (HEADER, len(base)), lambda raw: parse_nev(raw, "Events.nev"), _check_nev
    )


def _nvt(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    base = files.flat.nvt_bytes([10**12, 10**12 + 33_000], [(320, 240), (0, 0)], [90, 0])
    return _run(
        base, n, seed, (HEADER, len(base)), lambda raw: parse_nvt(raw, "VT1.nvt"), _check_nvt
    )


@pytest.mark.parametrize("fuzz", [_nev, _nvt])
def test_neuralynx_events_and_tracking(
    files: ModuleType, fuzz: Callable[[ModuleType, int, int], tuple[int, int]]
) -> None:
    n_read, n_refused = fuzz(files, FEW, 1)
    assert n_read > FEW // 10
    assert n_refused > FEW // 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fuzz", [_nev, _nvt])
def test_a_million_neuralynx_files(
    files: ModuleType, fuzz: Callable[[ModuleType, int, int], tuple[int, int]]
) -> None:
    n_read, n_refused = fuzz(files, MANY, 2)
    assert n_read + n_refused == MANY


# --- texts and headers ----------------------------------------------------------------------------


def _check_npy(found: object, raw: bytes) -> None:
    """What NumPy reads too must be the same; what it refuses may be read where it makes sense."""
    dtype, header_bytes, n_items = found  # type: ignore[misc]
    assert 0 < dtype.itemsize <= 1 << 20
    assert header_bytes <= len(raw)
    assert n_items >= 0
    stream = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(stream)
        reading = {(1, 0): np.lib.format.read_array_header_1_0}.get(version)
        shape, _, of_numpy = reading(stream) if reading else ((n_items,), False, dtype)
    except Exception:  # noqa: BLE001 (whatever evaluating a damaged header leads to)
        return
    assert of_numpy == dtype
    assert math.prod(shape) == n_items


def _npy(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    base = files.flat.npy(np.arange(3))
    return _run(base, n, seed, (0, 80), lambda raw: parse_npy_header(raw, "a.npy"), _check_npy)


def _check_oebin(found: object, raw: bytes) -> None:
    for stream in found.streams:  # type: ignore[attr-defined]
        assert 0 < stream.rate_hz < 1e7
        assert ".." not in stream.folder.split("/")
        assert not stream.folder.startswith("/")
        assert stream.channels
        for channel in stream.channels:
            assert channel.name
            assert math.isfinite(channel.gain_uv)
            assert channel.gain_uv != 0


def _oebin(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    content = {
        "GUI version": "0.6.7",
        "continuous": [files.flat.oebin_stream(["CH1", "ADC1"])],
        "events": [{"folder_name": "Acq-100.probe/TTL/", "sample_rate": 30_000.0}],
    }
    base = json.dumps(content, indent=1).encode()
    return _run(
        base, n, seed, (0, len(base)), lambda raw: parse_oebin(raw, "structure.oebin"), _check_oebin
    )


def _check_meta(found: object, raw: bytes) -> None:
    assert 0 < found.rate_hz <= 1e7  # type: ignore[attr-defined]
    channels = found.channels  # type: ignore[attr-defined]
    assert 0 < len(channels) <= 65_536
    for channel in channels:
        assert channel.name
        assert math.isfinite(channel.gain_uv)
        assert channel.gain_uv > 0
    saved = [line for line in raw.splitlines() if line.startswith(b"nSavedChans=")]
    if len(saved) == 1:
        assert len(channels) == int(saved[0].split(b"=")[1])


def _meta(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    name = "m_g0_t0.imec0.ap"
    values = files.flat.imec_meta(Path(f"{name}.bin"), 3, 100) | {
        "~imroTbl": "(0,4)" + "".join(f"({c} 0 0 500 250 1)" for c in range(4))
    }
    base = "\n".join(f"{key}={value}" for key, value in values.items()).encode()
    return _run(
        base, n, seed, (0, len(base)), lambda raw: parse_meta(raw, name, "x.meta"), _check_meta
    )


def _check_flat(found: object, raw: bytes) -> None:
    content = json.loads(raw.decode("utf-8-sig"))
    assert found.rate_hz == content["rate_hz"]  # type: ignore[attr-defined]
    assert len(found.channels) == content["n_channels"]  # type: ignore[attr-defined]


def _flat(files: ModuleType, n: int, seed: int) -> tuple[int, int]:
    base = json.dumps(
        {
            "rate_hz": 20_000, "n_channels": 2, "gain_uv": [0.195, 1.0], "dtype": "int16",
            "order": "interleaved", "names": ["CA1", "EMG"], "start": "2026-03-02T10:00:00",
        }
    ).encode()  # fmt: skip
    return _run(
        base, n, seed, (0, len(base)), lambda raw: parse_flat(raw, "rec.flat.json"), _check_flat
    )


_TEXTS = [_npy, _oebin, _meta, _flat]


@pytest.mark.parametrize("fuzz", _TEXTS)
def test_headers_and_descriptions(
    files: ModuleType, fuzz: Callable[[ModuleType, int, int], tuple[int, int]]
) -> None:
    n_read, n_refused = fuzz(files, FEW, 3)
    assert n_read > 0
    assert n_refused > FEW // 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fuzz", _TEXTS)
def test_very_many_headers_and_descriptions(
    files: ModuleType, fuzz: Callable[[ModuleType, int, int], tuple[int, int]]
) -> None:
    assert sum(fuzz(files, MANY // 4, 4)) == MANY // 4


# --- whole folders --------------------------------------------------------------------------------

_FOLDER_FILES = (
    "structure.oebin",
    "sync_messages.txt",
    "continuous/Acq-100.probe/continuous.dat",
    "continuous/Acq-100.probe/sample_numbers.npy",
    "continuous/Acq-100.probe/timestamps.npy",
    "events/Acq-100.probe/TTL/states.npy",
    "events/Acq-100.probe/TTL/sample_numbers.npy",
    "events/MessageCenter/text.npy",
)


def _check_recording(recording: Recording) -> None:
    """Spans in order, every sample of them there, events with a time each."""
    for stream in recording.description.streams:
        source = recording.open(stream.name)
        number, stop_s = 0, -1e-9
        for span in stream.spans:
            assert span.first_sample == number
            assert span.start_s >= stop_s - 1e-9
            assert 0 < span.rate_hz < 1e7
            out = np.empty((len(stream.channels), span.n_samples), source.dtype)
            source.read(span.first_sample, out)
            number, stop_s = span.stop_sample, span.stop_s
    for events in recording.read_events():
        assert len(events.time_s) == len(events.code) == len(events.label)


def _folders(files: ModuleType, folder: Path, n: int, seed: int) -> tuple[int, int]:
    numbers = np.concatenate([np.arange(500), np.arange(700, 1000)])
    root = files.flat.write_open_ephys(
        folder / "recording1", numbers, rate_hz=1000.0, ttl=[(3, 1), (9, -1)], messages=[(1, "a")]
    )
    rng = random.Random(seed)
    n_read = n_refused = 0
    for _ in range(n):
        path = root / rng.choice(_FOLDER_FILES)
        sound = path.read_bytes()
        path.write_bytes(_mutate(sound, rng, (0, 160)))
        try:
            _check_recording(read_recording(root))
            n_read += 1
        except WakefulError as error:
            _check_error(error)
            n_refused += 1
        finally:
            path.write_bytes(sound)
    return n_read, n_refused


def test_open_ephys_folders(files: ModuleType, tmp_path: Path) -> None:
    n_read, n_refused = _folders(files, tmp_path, 150, 5)
    assert n_read > 15
    assert n_refused > 15


def test_no_claim_of_a_header_takes_memory(files: ModuleType, tmp_path: Path) -> None:
    """Lengths that a header promises are held against the file before room is made for them."""
    root = files.flat.write_open_ephys(tmp_path / "recording1", np.arange(500), rate_hz=1000.0)
    numbers = root / "continuous/Acq-100.probe/sample_numbers.npy"
    events = root / "events/MessageCenter/text.npy"
    claims = [
        (numbers, files.flat.npy(np.arange(500), promised=10**11)),
        (events, files.flat.npy(np.array([b"x"])).replace(b"|S1", b"|S999999")),
        (root / "structure.oebin", b'{"continuous": [' + b"{}," * 100_000 + b"{}]}"),
    ]
    tracemalloc.start()
    try:
        for path, raw in claims:
            sound = path.read_bytes()
            path.write_bytes(raw)
            try:
                _check_recording(read_recording(root))
            except WakefulError as error:
                _check_error(error)
            path.write_bytes(sound)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 128 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_very_many_open_ephys_folders(files: ModuleType, tmp_path: Path) -> None:
    assert sum(_folders(files, tmp_path, 20_000, 6)) == 20_000
