"""Making results: binding, joining, receipts, failures."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.catalog import Catalog
from wakeful.io.store import Store
from wakeful.model.errors import StepFailed, Unavailable
from wakeful.pipeline import raw as raw_module
from wakeful.pipeline import runner as runner_module
from wakeful.pipeline.planner import make_plan
from wakeful.pipeline.raw import Raw
from wakeful.pipeline.runner import Runner

from .conftest import ToyRecording, Values, step, values


@pytest.fixture
def run_all(make_target, tmp_path, monkeypatch):
    def run(catalog, duration_s=200.0, wanted=None, parameters=None, now_s=None):
        target = make_target(duration_s)
        recording = ToyRecording(now_s or duration_s)
        raw = Raw(recording, recording.stream, recording.open("toy"), recording.manifest())
        monkeypatch.setattr(runner_module, "open_raw", lambda _: raw)
        # The toy has no files; the check of bytes has tests of its own.
        monkeypatch.setattr(raw_module, "check_bytes", lambda *_: None)
        plan = make_plan(target, catalog, wanted or tuple(catalog.steps), parameters or {})
        store = Store(tmp_path / "results")
        for job in plan.jobs():
            Runner(catalog, store, job).run()
        return plan, store

    return run


def read(plan, store, name, field):
    tasks = [t for t in plan.tasks if t.step == name and t.kind == "result"]
    return [store.read(t.step, t.key, field, Values) for t in tasks]


def test_halos_scans_and_joins_get_what_they_declared(run_all, make_catalog):
    plan, store = run_all(make_catalog())
    firsts = read(plan, store, "first", "one")
    assert [p.n_rows for p in firsts] == [16, 16, 16, 2]
    # A block of 64 s and 8 s of halo: 16 epochs and two on each side that has neighbours.
    assert [float(p.value[0]) for p in read(plan, store, "smooth", "two")] == [18, 20, 20, 4]
    assert [float(p.value[0]) for p in read(plan, store, "running", "three")] == [1, 2, 3, 4]
    (whole,) = read(plan, store, "whole", "four")
    assert float(whole.value[0]) == 50
    (day,) = read(plan, store, "daily", "five")
    assert float(day.value[0]) == 50


def test_nothing_is_made_twice(run_all, make_catalog):
    plan, store = run_all(make_catalog())
    before = {r.key: r.tree["started_utc"] for r in store.receipts()}
    run_all(make_catalog())
    assert {r.key: r.tree["started_utc"] for r in store.receipts()} == before
    assert set(before) == {t.key for t in plan.tasks}


def test_a_failing_step_says_which_and_where_and_leaves_nothing(run_all):
    def fail(bound, params):
        if bound.block.start_s > 0:
            raise Unavailable("there is no theta", where="CA1", remedy="look elsewhere")
        return values(bound.block, 1.0)

    from wakeful.model.arrays import ArraySource
    from wakeful.model.time import Interval

    catalog = Catalog.of(
        [step("theta", {"raw": ArraySource, "block": Interval}, "one", fail, "block")]
    )
    with pytest.raises(StepFailed) as caught:
        run_all(catalog)
    assert str(caught.value) == "theta, block 1: CA1: there is no theta; look elsewhere"


def test_an_unexpected_error_is_named_with_its_step(run_all):
    from wakeful.model.arrays import ArraySource
    from wakeful.model.time import Interval

    catalog = Catalog.of(
        [
            step(
                "theta",
                {"raw": ArraySource, "block": Interval},
                "one",
                lambda i, p: 1 / 0,
                "block",
            )
        ]
    )
    with pytest.raises(StepFailed, match="theta, block 0: ZeroDivisionError"):
        run_all(catalog)


def test_receipts_carry_parameters_inputs_and_time(run_all, make_catalog):
    plan, store = run_all(make_catalog(), parameters={"smooth": {"level": 3.0}})
    task = next(t for t in plan.tasks if t.step == "smooth")
    tree = store.receipt("smooth", task.key).tree
    assert tree["changed_params"] == {"level": 3.0}
    assert tree["params"] == {"level": 3.0}
    assert tree["inputs"]["one"][0]["step"] == "first"
    assert tree["interval_s"] == {"start_s": 0.0, "stop_s": 64.0}
    assert tree["peak_memory_mb"] > 0
    assert np.isfinite(tree["seconds"])


def test_nothing_is_computed_from_other_raw_data_than_planned(run_all, make_catalog):
    with pytest.raises(StepFailed, match="has changed since this was planned"):
        run_all(make_catalog(), duration_s=100.0, now_s=110.0, wanted=("first",))
