"""Making results again: what holds, what does not, and what can't be told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from wakeful.catalog import Catalog
from wakeful.io.mirror import take_in
from wakeful.io.recording import read_recording
from wakeful.io.store import Receipt, Store
from wakeful.model.arrays import ArraySource
from wakeful.model.errors import BadRecording, UnknownResult
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Accounting, Day, Interval, cut_spans
from wakeful.pipeline.planner import Target, make_plan
from wakeful.pipeline.runner import Runner
from wakeful.pipeline.verify import _compare_plain, verify

from .conftest import Values, step

RATE_HZ = 2000.0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A result without arrays."""

    recorded_s: float
    gap_s: float
    notes: tuple[str, ...] = ("a",)


def _means(bound: Any, params: Any) -> Values:
    """The mean of what each of the block's spans holds."""
    rows = []
    for span in cut_spans(bound.raw.spans, bound.block):
        samples = np.empty((1, span.n_samples), np.int16)
        bound.raw.read(span.first_sample, samples)
        rows.append((span.start_s, samples.mean()))
    table = np.array(rows, np.float64).reshape(-1, 2)
    return Values(start_s=table[:, 0], value=table[:, 1].astype(np.float32))


def _doubled(bound: Any, params: Any) -> Values:
    return replace(bound.one, value=bound.one.value * params.level)


def _summary(bound: Any, params: Any) -> Summary:
    return Summary(recorded_s=bound.accounting.recorded_s, gap_s=bound.accounting.gap_s)


CATALOG = Catalog.of(
    [
        step("first", {"raw": ArraySource, "block": Interval}, "one", _means, "block", halo_s=2.0),
        step("second", {"one": Values, "block": Interval}, "two", _doubled, "block"),
        step(
            "daily",
            {"one": Values, "day": Day, "accounting": Accounting},
            "three",
            _summary,
            "day",
            kind=Summary,
        ),
    ]
)


@dataclass
class Bench:
    """A recording, taken in, and what was made of it."""

    files: ModuleType
    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "mouse"

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def write(self, duration_s: float) -> None:
        self.source.mkdir(exist_ok=True)
        records = self.files.ncs_records(int(duration_s * RATE_HZ / 512), lost_after={30: 4000})
        self.files.write_ncs(self.source / "CSC1.ncs", self.files.ncs_header(), records)
        take_in(self.source, self.folder / "raw", in_place=False)

    def run(self, block_s: float = 28.0, level: float = 1.0) -> dict[tuple[str, str], Receipt]:
        """Make everything; (step, scope) -> receipt."""
        folder = self.folder / "raw"
        manifest = take_in(self.source, folder, in_place=False)
        recording = read_recording(Path(manifest.root))
        (stream,) = recording.description.streams
        session = Session(
            name="s",
            subject=Subject(identifier="M1"),
            start_utc=None,
            duration_s=stream.duration_s,
            block_s=block_s,
        )
        target = Target(recording, stream, session, manifest, folder)
        plan = make_plan(target, CATALOG, tuple(CATALOG.steps), {"second": {"level": level}})
        for job in plan.jobs():
            Runner(CATALOG, self.store, job).run()
        return {
            (t.step, str(t.scope)): self.store.receipt(t.folder, t.key)
            for t in plan.tasks
            if t.kind == "result"
        }

    def verify(self, receipt: Receipt) -> Any:
        return verify(CATALOG, self.store, self.store.receipt(receipt.step, receipt.key))


@pytest.fixture
def bench(files: ModuleType, tmp_path: Path) -> Bench:
    bench = Bench(files, tmp_path)
    bench.write(90.0)
    return bench


def tamper(receipt: Receipt, change: Callable[[dict[str, Any]], object]) -> None:
    path = receipt.folder / "receipt.json"
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def test_what_was_stored_comes_out_again(bench):
    result = bench.verify(bench.run()["daily", "day 0"])
    assert result.holds
    assert {c.verdict for c in result.comparisons} == {"same bits"}
    # A result without arrays is held against its twin as well.
    assert [c.file for c in result.comparisons if c.step == "daily"] == ["receipt.json"]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda three: three.update(recorded_s=1.0), "three.recorded_s: stored is 1.0, made again"),
        (lambda three: three.update(notes=["a", "b"]), "three.notes: stored is ['a', 'b']"),
        (lambda three: three.pop("gap_s"), "three: stored is"),
        (lambda three: three.update(gap_s=None), "three.gap_s: stored is None"),
    ],
)
def test_a_changed_value_in_a_receipt_is_found(bench, change, verdict):
    receipt = bench.run()["daily", "day 0"]
    tamper(receipt, lambda tree: change(tree["outputs"]["three"]))
    result = bench.verify(receipt)
    assert not result.holds
    (bad,) = [c for c in result.comparisons if not c.holds]
    assert (bad.step, bad.scope, bad.file) == ("daily", "day 0", "receipt.json")
    assert bad.verdict.startswith(verdict)


def test_on_another_processor_values_may_differ_by_rounding():
    old, near, far = ({"a": [x, "text"]} for x in (1.0, 1.00001, 1.01))
    assert _compare_plain(old, old, other_processor=False) == ("same bits", True)
    assert not _compare_plain(old, near, other_processor=False)[1]
    assert _compare_plain(old, near, other_processor=True)[1]
    assert not _compare_plain(old, far, other_processor=True)[1]
    assert not _compare_plain({"a": 1}, {"a": True}, other_processor=True)[1]
    assert not _compare_plain({"a": "x"}, {"a": "y"}, other_processor=True)[1]


def test_data_that_grew_is_told_and_not_called_a_wrong_result(bench):
    receipt = bench.run()["daily", "day 0"]
    bench.write(120.0)
    with pytest.raises(BadRecording, match="raw data has changed since this was made") as caught:
        bench.verify(receipt)
    assert caught.value.where == str(bench.source)


def test_data_that_was_replaced_is_told(bench):
    receipt = bench.run()["second", "block 1"]
    path = bench.source / "CSC1.ncs"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    take_in(bench.source, bench.folder / "raw", in_place=False)
    with pytest.raises(BadRecording, match="raw data has changed since this was made"):
        bench.verify(receipt)


def test_data_that_is_gone_is_told(bench):
    receipt = bench.run()["second", "block 1"]
    shutil.rmtree(bench.folder / "raw")
    with pytest.raises(BadRecording):
        bench.verify(receipt)


def test_blocks_of_other_lengths_are_found_by_their_time(bench):
    # 84 s on is the last block of 28 s and of 12 s: one result, first made as "block 3".
    long = bench.run(block_s=28.0)
    short = bench.run(block_s=12.0, level=2.0)
    assert short["first", "block 7"].key == long["first", "block 3"].key
    result = bench.verify(short["second", "block 7"])
    assert result.holds
    assert {c.scope for c in result.comparisons} == {"block 7"}


def test_a_block_that_the_session_does_not_have_is_told(bench):
    receipt = bench.run()["first", "block 1"]
    tamper(receipt, lambda tree: tree["interval_s"].update(stop_s=57.0))
    with pytest.raises(UnknownResult, match=r"block from 28 to 57 s.*has none there"):
        bench.verify(receipt)
