"""The .ncs reader under random recordings and random damage."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.io.recording import read_recording
from wakeful.model.errors import WakefulError
from wakeful.model.recording import Recording, Stream
from wakeful.model.time import Interval

RECORD = 1044
HEADER = 16_384


def _read(recording: Recording, stream: Stream) -> np.ndarray:
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


@settings(deadline=None, max_examples=60)
@given(
    n_records=st.integers(1, 60),
    rate_hz=st.sampled_from([250, 2000, 30_303, 32_000]),
    ppm=st.floats(-300, 300),
    short=st.dictionaries(st.integers(0, 59), st.integers(1, 511), max_size=5),
    lost=st.dictionaries(st.integers(0, 59), st.integers(1, 10**6), max_size=5),
    start_us=st.sampled_from([0, 1, 10**9, 1_698_932_395_972_475]),
)
def test_planted_gaps_are_found_exactly(
    files: ModuleType,
    n_records: int,
    rate_hz: int,
    ppm: float,
    short: dict[int, int],
    lost: dict[int, int],
    start_us: int,
) -> None:
    true_hz = rate_hz * (1 + ppm * 1e-6)
    records = files.ncs_records(
        n_records, rate_hz, start_us=start_us, true_rate_hz=true_hz, short=short, lost_after=lost
    )
    # Where each planted span begins, counted in samples that were taken, lost ones included.
    planted: list[tuple[int, int]] = []
    taken = first = 0
    for i in range(n_records):
        taken += short.get(i, 512)
        if lost.get(i) or i == n_records - 1:
            planted.append((first, taken - first))
            taken += lost.get(i, 0)
            first = taken
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "CSC1.ncs"
        files.write_ncs(path, files.ncs_header("CSC1", rate_hz), records)
        recording = read_recording(path)
        (stream,) = recording.description.streams
        assert stream.quarantined == ()
        assert [span.n_samples for span in stream.spans] == [n for _, n in planted]
        before = 0
        for span, (begin, n_samples) in zip(stream.spans, planted, strict=True):
            # A whole microsecond of rounding, and the rate of spans too short for a fit: also of
            # the one before, behind whose end a span begins.
            assert span.start_s == pytest.approx(
                begin / true_hz, abs=3e-6 + 350e-6 * before / rate_hz
            )
            before = n_samples
            assert span.stop_s == pytest.approx(
                (begin + n_samples) / true_hz, abs=3e-6 + 350e-6 * n_samples / rate_hz
            )
        found = _read(recording, stream)[0]
        expected = np.concatenate([files.ramp(a + n, 0, a) for a, n in planted])
        np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=40)
@given(
    start=st.floats(-1, 12), length=st.floats(0, 12), lost=st.dictionaries(
        st.integers(0, 29), st.integers(1, 5000), max_size=3)
)  # fmt: skip
def test_byte_ranges_hold_the_records_of_the_interval_and_no_others(
    files: ModuleType, start: float, length: float, lost: dict[int, int]
) -> None:
    records = files.ncs_records(30, 2000, lost_after=lost)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "CSC1.ncs"
        files.write_ncs(path, files.ncs_header("CSC1", 2000), records)
        recording = read_recording(path)
        (stream,) = recording.description.streams
        interval = Interval(start, start + length)
        ranges = recording.byte_ranges(stream.name, interval)
    given_records = {
        (at - HEADER) // RECORD
        for r in ranges
        for at in range(max(r.start, HEADER), r.stop, RECORD)
    }
    begins = (records["tick"].astype(float) - 5e6) / 1e6
    slack = 2e-6
    inside = {
        i
        for i in range(30)
        if any(
            start + slack <= begins[i] + k / 2000 < start + length - slack for k in (0, 255, 511)
        )
    }
    touching = {
        i
        for i in range(30)
        if begins[i] + 511 / 2000 >= start - slack and begins[i] < start + length + slack
    }
    assert inside <= given_records <= touching
    assert all(r.start >= HEADER for r in ranges)


class Damage:
    """One kind of damage after another to the bytes of a sound file, seeded."""

    def __init__(self, sound: bytes, seed: int) -> None:
        self._sound = sound
        self._rng = np.random.default_rng(seed)
        self._text_end = len(sound[:HEADER].rstrip(b"\0"))
        self._n_records = (len(sound) - HEADER) // RECORD
        self.kinds = (
            self.flip_header,
            self.flip_heads,
            self.change_stamp,
            self.swap_words,
            self.cut,
            self.zero,
            self.repeat_record,
            self.swap_records,
            self.noise,
        )

    def _at(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high))

    def flip_header(self) -> bytes:
        raw = bytearray(self._sound)
        for _ in range(self._at(1, 6)):
            raw[self._at(0, self._text_end)] = self._at(0, 256)
        return bytes(raw)

    def flip_heads(self) -> bytes:
        raw = bytearray(self._sound)
        for _ in range(self._at(1, 5)):
            raw[HEADER + self._at(0, self._n_records) * RECORD + self._at(0, 20)] ^= 1 << self._at(
                0, 8
            )
        return bytes(raw)

    def change_stamp(self) -> bytes:
        raw = bytearray(self._sound)
        at = HEADER + self._at(0, self._n_records) * RECORD
        stamp = int.from_bytes(raw[at : at + 8], "little") + self._at(-(10**12), 10**12)
        raw[at : at + 8] = (stamp % 2**64).to_bytes(8, "little")
        return bytes(raw)

    def swap_words(self) -> bytes:
        words = self._sound[: self._text_end].split(b" ")
        a, b = self._at(0, len(words)), self._at(0, len(words))
        words[a], words[b] = words[b], words[a]
        return b" ".join(words).ljust(HEADER, b"\0") + self._sound[HEADER:]

    def cut(self) -> bytes:
        return self._sound[: self._at(0, len(self._sound))]

    def zero(self) -> bytes:
        raw = bytearray(self._sound)
        a = self._at(0, len(raw))
        b = min(len(raw), a + self._at(1, 5000))
        raw[a:b] = bytes(b - a)
        return bytes(raw)

    def repeat_record(self) -> bytes:
        at = HEADER + self._at(0, self._n_records) * RECORD
        copies = self._at(1, 4)
        return self._sound[:at] + self._sound[at : at + RECORD] * copies + self._sound[at:]

    def swap_records(self) -> bytes:
        parts = [
            self._sound[HEADER + i * RECORD : HEADER + (i + 1) * RECORD]
            for i in range(self._n_records)
        ]
        a, b = self._at(0, len(parts)), self._at(0, len(parts))
        parts[a], parts[b] = parts[b], parts[a]
        return self._sound[:HEADER] + b"".join(parts)

    def noise(self) -> bytes:
        raw = bytearray(self._sound)
        a = self._at(0, len(raw))
        b = min(len(raw), a + self._at(1, 3000))
        raw[a:b] = self._rng.bytes(b - a)
        return bytes(raw)


@pytest.mark.parametrize("n_damaged", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files(files: ModuleType, tmp_path: Path, n_damaged: int) -> None:
    """A clear error, or spans in order whose samples are all in the file: nothing else."""
    records = files.ncs_records(14, short={5: 300}, lost_after={5: 90, 9: 5000})
    sound = files.ncs_header("CSC1", 2000) + records.tobytes()
    damage = Damage(sound, seed=20_240_301)
    path = tmp_path / "CSC1.ncs"
    outcomes: Counter[str] = Counter()
    slowest_s, unclear = 0.0, 0
    # Written in place: making a file anew ten thousand times takes most of the test.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    for _, change in zip(range(n_damaged), itertools.cycle(damage.kinds), strict=False):
        raw = change()
        os.pwrite(descriptor, raw, 0)
        os.ftruncate(descriptor, len(raw))
        begin = time.perf_counter()
        try:
            recording = read_recording(path)
            (stream,) = recording.description.streams
        except WakefulError as error:
            outcomes[type(error).__name__] += 1
            unclear += not (error.what and error.remedy and "CSC1.ncs" in str(error))
            continue
        finally:
            slowest_s = max(slowest_s, time.perf_counter() - begin)
        outcomes["read"] += 1
        stop_s, number = 0.0, 0
        for span in stream.spans:
            assert span.start_s >= stop_s
            assert span.n_samples > 0
            assert span.first_sample == number
            assert 0 < span.rate_hz < 1.1e6
            number, stop_s = span.stop_sample, span.stop_s
        assert number <= (len(raw) - HEADER) // RECORD * 512
        assert np.isfinite(stream.channels[0].gain_uv)
        _check_against_file(recording, stream, raw)
    os.close(descriptor)
    assert slowest_s < 2.0
    assert unclear == 0
    assert outcomes["read"] > 0.3 * n_damaged
    assert outcomes["TruncatedFile"] > 0.05 * n_damaged
    assert outcomes["BadRecording"] > 0.005 * n_damaged


def _check_against_file(recording: Recording, stream: Stream, raw: bytes) -> None:
    """What is read is what sound records hold, in their order, cut to whole records of it."""
    found = _read(recording, stream)[0].tobytes()
    at = 0
    for record in range((len(raw) - HEADER) // RECORD):
        begin = HEADER + record * RECORD
        n_valid = int.from_bytes(raw[begin + 16 : begin + 20], "little")
        piece = raw[begin + 20 : begin + 20 + 2 * min(n_valid, 512)]
        if piece and found[at : at + len(piece)] == piece:
            at += len(piece)
    assert at == len(found)
