"""Headers and heads with random damage: a clear error or an answer that holds, and nothing else."""

from __future__ import annotations

import itertools
import math
import time
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.frozen_rates import LineFitter, Part
from wakeful.io.ncs_files import HEAD, LAYOUT, REASONS, judge_heads, scan_heads
from wakeful.io.neuralynx_header import read_header
from wakeful.io.record_order import put_in_order
from wakeful.io.records import RecordLayout
from wakeful.io.scan_memory import Scan
from wakeful.model.errors import WakefulError

MANY = [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)]

_WORDS = (
    b"-", b" ", b"\r\n", b"\t", b'"', b"\xb5", b"\0", b"#", b"nan", b"1e400", b"-0", b"9" * 400,
    b"True", b"-ADBitVolts", b"-SamplingFrequency 0", b"-TimeCreated 9999/99/99 99:99:99",
    b"2024/02/30 10:00:00", b":" * 40, b"-DspFilterDelay_", b"-AcqEntName", b"/" * 60, b"\x85",
)  # fmt: skip


@pytest.mark.parametrize("n_damaged", MANY)
def test_damaged_headers(files: ModuleType, n_damaged: int) -> None:
    rng = np.random.default_rng(20_260_112)
    sound = files.ncs_header(DspDelayCompensation="Disabled", DspFilterDelay_us="984").rstrip(b"\0")
    read = slow = peak = 0
    for i in range(n_damaged):
        raw = bytearray(sound)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(raw)))
            match int(rng.integers(0, 4)):
                case 0:
                    raw[at] = int(rng.integers(0, 256))
                case 1:
                    word = _WORDS[int(rng.integers(0, len(_WORDS)))]
                    raw[at : at + len(word)] = word
                case 2:
                    del raw[at : at + int(rng.integers(1, 200))]
                    raw = raw or bytearray(b"\0")
                case _:
                    raw[at:at] = raw[: int(rng.integers(0, 300))]
        watched = i % 100 == 0
        if watched:
            tracemalloc.start()
        begin = time.perf_counter()
        try:
            header = read_header(bytes(raw), "a.ncs")
        except WakefulError as error:
            assert error.what  # noqa: PT017
            assert error.remedy  # noqa: PT017
            continue
        finally:
            slow += time.perf_counter() - begin > 5.0
            if watched:
                peak = max(peak, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        read += 1
        assert math.isfinite(header.gain_uv)
        assert header.gain_uv != 0
        assert header.rate_hz is None or 0 < header.rate_hz <= 1e6
        assert header.filter_delay_s is None or 0 <= header.filter_delay_s <= 10
    assert peak < 5e6
    assert slow == 0
    assert 0.3 * n_damaged < read < n_damaged


class Heads:
    """Heads in memory, read as those of a file are."""

    path = Path("a.ncs")
    layout: RecordLayout = LAYOUT

    def __init__(self, heads: np.ndarray) -> None:
        self._heads = heads

    def at(self, records: np.ndarray) -> np.ndarray:
        return self._heads[np.asarray(records)]

    def between(self, first: int, stop: int) -> np.ndarray:
        return self._heads[first:stop]


def _sound_heads(files: ModuleType) -> np.ndarray:
    records = files.ncs_records(14, short={5: 300}, lost_after={5: 90, 9: 5000})
    heads = np.zeros(14, HEAD)
    for name in HEAD.names or ():
        heads[name] = records[name]
    return heads


class Damage:
    """One kind of damage after another."""

    def __init__(self, sound: np.ndarray, seed: int) -> None:
        self._sound = sound
        self._rng = np.random.default_rng(seed)
        self.kinds = itertools.cycle(
            [self.flip, self.stamp, self.extreme, self.swap, self.repeat, self.zero, self.noise]
        )

    def _at(self) -> int:
        return int(self._rng.integers(0, len(self._sound)))

    def flip(self) -> np.ndarray:
        heads = self._sound.copy()
        raw = heads.view(np.uint8)
        for at in self._rng.integers(0, len(raw), 3).tolist():
            raw[at] ^= 1 << int(self._rng.integers(0, 8))
        return heads

    def stamp(self) -> np.ndarray:
        heads = self._sound.copy()
        heads["tick"][self._at()] += np.uint64(self._rng.integers(0, 2**63))
        heads["tick"][self._at() :] += np.uint64(self._rng.integers(0, 10**9))
        return heads

    def extreme(self) -> np.ndarray:
        heads = self._sound.copy()
        values = [0, 1, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**15]
        for _ in range(3):
            heads["tick"][self._at()] = values[int(self._rng.integers(0, len(values)))]
        heads["n_valid"][self._at()] = [0, 1, 511, 512, 513, 2**32 - 1][
            int(self._rng.integers(0, 6))
        ]
        heads["rate"][self._at() :] = [0, 1, 2000, 2**32 - 1][int(self._rng.integers(0, 4))]
        return heads

    def swap(self) -> np.ndarray:
        heads = self._sound.copy()
        a, b = self._at(), self._at()
        heads[[a, b]] = heads[[b, a]]
        return heads

    def repeat(self) -> np.ndarray:
        at = self._at()
        return np.concatenate([self._sound[: at + 1], self._sound[max(0, at - 2) :]])

    def zero(self) -> np.ndarray:
        heads = self._sound.copy()
        heads[self._at() :][: int(self._rng.integers(1, 6))] = np.zeros(1, HEAD)
        return heads

    def noise(self) -> np.ndarray:
        heads = self._sound.copy()
        at = self._at()
        n = min(len(heads) - at, int(self._rng.integers(1, 5)))
        heads.view(np.uint8).reshape(len(heads), -1)[at : at + n] = self._rng.integers(
            0, 256, (n, HEAD.itemsize), np.uint8
        )
        return heads


@pytest.mark.parametrize("n_damaged", MANY)
def test_damaged_heads(files: ModuleType, n_damaged: int) -> None:
    damage = Damage(_sound_heads(files), seed=7)
    slowest_s = 0.0
    read = 0
    for i, change in zip(range(n_damaged), damage.kinds, strict=False):
        heads = change()
        begin = time.perf_counter()
        try:
            scan = scan_heads(Heads(heads), len(heads), 2000.0, thorough=False)
        except WakefulError as error:
            assert error.remedy  # noqa: PT017
            continue
        read += 1
        _check(scan, heads, lines=i % 10 == 0)
        slowest_s = max(slowest_s, time.perf_counter() - begin)
    assert slowest_s < 5.0
    assert read > 0.9 * n_damaged


def _check(scan: Scan, heads: np.ndarray, *, lines: bool) -> None:
    """What is kept is in order, in the file, and on lines that do not overlap."""

    def read_ticks(file: int, records: np.ndarray) -> np.ndarray:
        return heads["tick"][records].astype(np.int64)

    table = put_in_order([scan.findings], 512, scan.clock, REASONS, read_ticks)
    record, n_records = -1, 0
    for stretch in table.stretches:
        assert stretch.first_record > record
        record = stretch.first_record + stretch.n_records - 1
        assert record < len(heads)
        n_records += stretch.n_records
    assert n_records + sum(apart.n_records for apart in table.set_apart) == len(heads)
    if not lines:
        return
    stamps = judge_heads(heads, scan.channel, scan.rate)
    for stretch in table.stretches:
        stop_record = stretch.first_record + stretch.n_records
        assert not stamps.fault[stretch.first_record : stop_record].any()
    fitter = LineFitter(512, scan.clock)
    stop = -math.inf
    for segment in table.segments:
        part = Part(table, read_ticks, segment, segment.first_sample, segment.n_samples)
        for line in fitter.fit(part)[0]:
            start = line.anchor_tick - table.base_tick + line.start_ticks
            assert start >= stop - 1e-3 * scan.clock.period_ticks - abs(start) * 1e-12
            assert line.n_samples > 0
            assert line.period_ticks == pytest.approx(scan.clock.period_ticks, rel=0.02)
            stop = start + line.n_samples * line.period_ticks
