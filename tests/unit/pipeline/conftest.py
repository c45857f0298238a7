"""A recording without files, and steps that are quick to understand."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from wakeful.catalog import Catalog
from wakeful.io.mirror import GRANULE, HEAD_BYTES, FileEntry, Manifest, piece_bounds, pieces_of
from wakeful.model.arrays import ArraySource, MemorySource
from wakeful.model.epochs import PER_ROW, Floats, Rows
from wakeful.model.recording import ByteRange, Description, Stream
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Day, Interval, Span
from wakeful.pipeline.planner import Target
from wakeful.step import Step, parameter

RATE_HZ = 10.0
BYTES_PER_S = GRANULE // 64


def _byte_at(time_s: float) -> int:
    return HEAD_BYTES + int(time_s * BYTES_PER_S)


class ToyRecording:
    """One channel that counts its samples; 64 s of it lie in one granule, behind a header."""

    def __init__(self, duration_s: float, region: str = "CA1") -> None:
        n_samples = int(duration_s * RATE_HZ)
        self.stream = Stream(
            name="toy",
            rate_hz=RATE_HZ,
            channels=(Channel(name="a", region=region),),
            spans=(Span(0.0, n_samples, RATE_HZ, 0),),
            files=("a.toy",),
        )
        self.description = Description(
            format="toy", root="/toy", streams=(self.stream,), start_utc=None
        )
        self.n_bytes = _byte_at(duration_s)

    def open(self, stream: str) -> ArraySource:
        samples = np.arange(self.stream.spans[0].n_samples, dtype=np.int16)
        return MemorySource(samples[None], self.stream.channels, self.stream.spans)

    def byte_ranges(self, stream: str, interval: Interval) -> tuple[ByteRange, ...]:
        stop = min(self.n_bytes, _byte_at(interval.stop_s))
        return (ByteRange("a.toy", _byte_at(interval.start_s), stop),)

    def manifest(self) -> Manifest:
        pieces = pieces_of(0, self.n_bytes)
        granules = [f"{i} to {piece_bounds(i, self.n_bytes)[1]}" for i in pieces]
        return Manifest(
            "/toy", "/toy", True, (FileEntry("a.toy", self.n_bytes, 0, tuple(granules)),)
        )


@pytest.fixture
def make_target() -> Callable[..., Target]:
    def make(
        duration_s: float,
        *,
        block_s: float = 64.0,
        start: datetime | None = datetime(2026, 3, 1, 22, 58, tzinfo=UTC),
        region: str = "CA1",
        name: str = "toy",
        goes_on: bool = False,
    ) -> Target:
        recording = ToyRecording(duration_s, region)
        session = Session(
            name=name,
            subject=Subject(identifier="M1"),
            start_utc=start,
            duration_s=duration_s,
            block_s=block_s,
        )
        horizon_s = duration_s if goes_on else math.inf
        manifest = recording.manifest()
        return Target(
            recording, recording.stream, session, manifest, Path("/toy"), horizon_s=horizon_s
        )

    return make


@pytest.fixture(scope="session")
def files() -> ModuleType:
    """The module tests/acquisition_files.py."""
    path = next(p for p in Path(__file__).parents if p.name == "tests") / "acquisition_files.py"
    spec = importlib.util.spec_from_file_location("acquisition_files", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, eq=False, kw_only=True)
class Values(Rows):
    value: Floats = dataclasses.field(metadata=PER_ROW)


def values(block: Interval, level: float) -> Values:
    start_s = np.arange(np.ceil(block.start_s / 4), np.ceil(block.stop_s / 4)) * 4.0
    return Values(start_s=start_s, value=np.full(len(start_s), level, np.float32))


@dataclass(frozen=True, kw_only=True)
class NoParams:
    level: float = parameter(1.0, unit="", source="a test")


def step(
    name: str,
    inputs: dict[str, Any],
    output: str,
    compute: Callable[[Any, Any], Any],
    per: str,
    *,
    halo_s: float = 0.0,
    version: int = 1,
    draw: Callable[..., Any] | None = None,
    optional: Sequence[str] = (),
    kind: type = Values,
) -> Step:
    order = sorted(inputs, key=lambda field: field in optional)
    given = dataclasses.make_dataclass(
        "Inputs",
        [
            (f, inputs[f] | None, dataclasses.field(default=None))
            if f in optional
            else (f, inputs[f])
            for f in order
        ],
        frozen=True,
    )
    gives = dataclasses.make_dataclass("Outputs", [(output, kind)], frozen=True)

    def run(bound: Any, params: Any) -> Any:
        return gives(**{output: compute(bound, params)})

    run.__module__ = f"toy.{name}"
    return Step(
        title=name,
        summary=name,
        inputs=given,
        params=NoParams,
        outputs=gives,
        compute=run,
        draw=draw,
        version=version,
        per=per,  # type: ignore[arg-type]
        halo_s=halo_s,
    )


@pytest.fixture
def make_catalog() -> Callable[..., Catalog]:
    """first (block) > smooth (block, halo) > running (scan) ; whole (session) ; daily (day)."""

    def make(*, first_version: int = 1, raw_halo_s: float = 0.0) -> Catalog:
        def draw(bound: Any, params: Any, outputs: Any) -> dict[str, Any]:
            return {}

        return Catalog.of(
            [
                step(
                    "first",
                    {"raw": ArraySource, "block": Interval},
                    "one",
                    lambda i, p: values(i.block, p.level),
                    "block",
                    halo_s=raw_halo_s,
                    version=first_version,
                    draw=draw,
                ),
                step(
                    "smooth",
                    {"one": Values, "block": Interval},
                    "two",
                    lambda i, p: values(i.block, float(i.one.n_rows)),
                    "block",
                    halo_s=8.0,
                ),
                step(
                    "running",
                    {"one": Values, "block": Interval, "three": Values},
                    "three",
                    lambda i, p: values(
                        i.block, 1.0 if i.three is None else float(i.three.value[-1]) + 1
                    ),
                    "scan",
                    optional=("three",),
                ),
                step(
                    "whole",
                    {"two": Values, "session": Session},
                    "four",
                    lambda i, p: values(Interval(0, 8), float(i.two.n_rows)),
                    "session",
                    draw=draw,
                ),
                step(
                    "daily",
                    {"one": Values, "four": Values, "day": Day, "session": Session},
                    "five",
                    lambda i, p: values(Interval(0, 4), float(i.one.n_rows)),
                    "day",
                    draw=draw,
                ),
            ]
        )

    return make
