"""What a request needs, by name."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from wakeful.catalog import Catalog, load_catalog
from wakeful.io.codec import from_plain
from wakeful.model.errors import BadParameters
from wakeful.model.quality import Mark, Verdict
from wakeful.model.time import Interval
from wakeful.pipeline.plan import Scope
from wakeful.pipeline.planner import make_plan
from wakeful.step import Step


def keys(plan, step=None, kind="result"):
    return {
        (t.step, str(t.scope)): t.key
        for t in plan.tasks
        if t.kind == kind and step in (None, t.step)
    }


ALL = ("first", "smooth", "running", "whole", "daily")


def test_each_block_day_and_session_has_its_results(make_target, make_catalog):
    # 200 s from 23:58 on: the second day begins after 120 s, in the middle of a block.
    target = make_target(200.0, start=datetime(2026, 3, 1, 23, 58, tzinfo=UTC))
    plan = make_plan(target, make_catalog(), ALL, {})

    def scopes(step, kind="result"):
        return {scope for name, scope in keys(plan, kind=kind) if name == step}

    assert scopes("first") == {f"block {i}" for i in range(4)}
    assert scopes("whole") == {"session"}
    assert scopes("daily") == {"day 0", "day 1"}
    assert scopes("first", "figure") == scopes("daily", "figure") == {"day 0", "day 1"}
    assert scopes("whole", "figure") == {"session"}
    results = keys(plan, "first")
    drawn = {
        str(t.scope): {r.key for r in t.results}
        for t in plan.tasks
        if t.kind == "figure" and t.step == "first"
    }
    # The block around midnight is drawn on both days.
    assert drawn["day 0"] == {results["first", "block 0"], results["first", "block 1"]}
    assert drawn["day 1"] == {results["first", f"block {i}"] for i in (1, 2, 3)}


def test_a_session_within_one_day_has_one(make_target, make_catalog):
    target = make_target(200.0, start=datetime(2026, 3, 1, 22, 58, tzinfo=UTC))
    plan = make_plan(target, make_catalog(), ALL, {})
    assert {s for n, s in keys(plan) if n == "daily"} == {"day 0"}


def test_only_what_is_asked_for_and_its_needs_are_planned(make_target, make_catalog):
    plan = make_plan(make_target(100.0), make_catalog(), ("smooth",), {})
    assert {t.step for t in plan.tasks} == {"first", "smooth"}
    assert not keys(plan, kind="figure")


def test_equal_requests_have_equal_keys(make_target, make_catalog):
    a = make_plan(make_target(200.0), make_catalog(), ALL, {})
    b = make_plan(make_target(200.0), make_catalog(), ALL, {})
    assert [t.key for t in a.tasks] == [t.key for t in b.tasks]
    assert len({t.key for t in a.tasks}) == len(a.tasks)
    assert [j.name for j in a.jobs()] == [j.name for j in b.jobs()]


def test_a_parameter_at_its_default_changes_no_key(make_target, make_catalog):
    a = make_plan(make_target(100.0), make_catalog(), ALL, {})
    b = make_plan(make_target(100.0), make_catalog(), ALL, {"first": {"level": 1}})
    assert keys(a) == keys(b)


def test_a_changed_parameter_changes_just_what_comes_after(make_target, make_catalog):
    a = keys(make_plan(make_target(100.0), make_catalog(), ALL, {}))
    b = keys(make_plan(make_target(100.0), make_catalog(), ALL, {"smooth": {"level": 2.0}}))
    changed = {name for name, _ in a if any(a[k] != b[k] for k in a if k[0] == name)}
    assert changed == {"smooth", "whole", "daily"}


def test_a_new_version_changes_everything_after_it(make_target, make_catalog):
    a = keys(make_plan(make_target(100.0), make_catalog(), ALL, {}))
    b = keys(make_plan(make_target(100.0), make_catalog(first_version=2), ALL, {}))
    assert all(a[k] != b[k] for k in a)


def test_later_hours_change_no_closed_block(make_target, make_catalog):
    short = keys(make_plan(make_target(160.0), make_catalog(), ALL, {}))
    long = keys(make_plan(make_target(400.0), make_catalog(), ALL, {}))
    for step in ("first", "running"):
        for block in ("block 0", "block 1"):
            assert short[step, block] == long[step, block]
        assert short[step, "block 2"] != long[step, "block 2"]  # it was cut short by the end
    assert short["smooth", "block 0"] == long["smooth", "block 0"]
    assert short["smooth", "block 1"] != long["smooth", "block 1"]  # its halo lay in block 2
    assert short["whole", "session"] != long["whole", "session"]


def test_a_step_with_a_halo_takes_its_neighbours(make_target, make_catalog):
    plan = make_plan(make_target(200.0), make_catalog(), ALL, {})
    tasks = {(t.step, t.scope): t for t in plan.tasks if t.kind == "result"}
    firsts = [tasks["first", Scope("block", i)].key for i in range(4)]
    smooth = tasks["smooth", Scope("block", 1)]
    assert [r.key for r in smooth.inputs["one"]] == firsts[:3]
    assert smooth.level == 1
    assert [r.key for r in tasks["smooth", Scope("block", 0)].inputs["one"]] == firsts[:2]


def test_a_scan_step_takes_its_own_result_of_the_block_before(make_target, make_catalog):
    plan = make_plan(make_target(200.0), make_catalog(), ("running",), {})
    tasks = {t.scope.number: t for t in plan.tasks if t.step == "running"}
    assert "three" not in tasks[0].inputs
    assert tasks[2].inputs["three"][0].key == tasks[1].key


def test_raw_halo_widens_what_joins_the_key(make_target, make_catalog):
    narrow = keys(make_plan(make_target(200.0), make_catalog(), ("first",), {}))
    wide = keys(make_plan(make_target(200.0), make_catalog(raw_halo_s=8.0), ("first",), {}))
    assert all(narrow[k] != wide[k] for k in narrow if k[1] != "day 0")


def test_another_region_is_another_result(make_target, make_catalog):
    a = keys(make_plan(make_target(100.0), make_catalog(), ("first",), {}))
    b = keys(make_plan(make_target(100.0, region="CA3"), make_catalog(), ("first",), {}))
    assert not set(a.values()) & set(b.values())


def test_jobs_come_after_what_they_need_and_hold_whole_chains(make_target, make_catalog):
    plan = make_plan(make_target(200.0), make_catalog(), ALL, {})
    jobs = {job.name: job for job in plan.jobs()}
    assert sum(len(job.tasks) for job in jobs.values()) == len(plan.tasks)
    made_by = {task.key: job.name for job in jobs.values() for task in job.tasks}
    order = list(jobs)
    for job in jobs.values():
        for task in job.tasks:
            for need in task.needs:
                if made_by[need.key] != job.name:
                    assert made_by[need.key] in job.after
                    assert order.index(made_by[need.key]) < order.index(job.name)


def test_bad_parameters_are_refused_when_planning(make_target, make_catalog):
    with pytest.raises(BadParameters, match="colour is not a parameter of first"):
        make_plan(make_target(100.0), make_catalog(), ALL, {"first": {"colour": 1}})


def marked_step(name: str = "judged") -> Step:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Inputs:
        block: Interval
        marks: tuple[Mark, ...]

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Outputs:
        judged: int

    def compute(inputs, params):
        return Outputs(judged=len(inputs.marks))

    compute.__module__ = f"steps.{name}"
    return Step(
        title="t",
        summary="s.",
        inputs=Inputs,
        params=NoChoice,
        outputs=Outputs,
        compute=compute,
        version=1,
        per="block",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoChoice:
    pass


def test_a_mark_changes_the_keys_of_the_blocks_it_touches_and_of_no_others(make_target):
    catalog = Catalog.of([marked_step()])
    target = make_target(256.0)
    mark = Mark(
        channels=("a",), start_s=70.0, stop_s=120.0, verdict=Verdict.BAD, reason="r", author="ann"
    )
    marked = dataclasses.replace(target, marks=(mark,))
    before = keys(make_plan(target, catalog, ("judged",), {}))
    plan = make_plan(marked, catalog, ("judged",), {})
    after = keys(plan)
    assert {scope for (_, scope), key in after.items() if before["judged", scope] != key} == {
        "block 1"
    }
    # It travels with the job: a worker never asks the database.
    (task,) = [t for t in plan.tasks if str(t.scope) == "block 1"]
    assert from_plain(task.given["marks"], tuple[Mark, ...]) == (mark,)
    assert all(t.given["marks"] == [] for t in plan.tasks if t is not task)


def test_a_mark_over_a_border_is_cut_for_each_block(make_target):
    catalog = Catalog.of([marked_step()])
    mark = Mark(
        channels=(), start_s=50.0, stop_s=80.0, verdict=Verdict.GOOD, reason="r", author="ann"
    )
    target = dataclasses.replace(make_target(256.0), marks=(mark,))
    plan = make_plan(target, catalog, ("judged",), {})
    given = {str(t.scope): t.given["marks"] for t in plan.tasks}
    assert [(m["start_s"], m["stop_s"]) for m in given["block 0"]] == [(50.0, 64.0)]
    assert [(m["start_s"], m["stop_s"]) for m in given["block 1"]] == [(64.0, 80.0)]


def test_a_trained_scorer_joins_the_keys_by_its_content(make_target):
    catalog = load_catalog()
    target = make_target(200.0)

    def planned(model="", models=None):
        with_models = dataclasses.replace(target, models=models or {})
        return make_plan(with_models, catalog, ["sleep"], {"sleep": {"model": model}})

    plain = planned()
    assert "sleep_features" not in {task.step for task in plain.tasks}
    ours = planned("ours", {"ours": "a" * 64})
    assert "sleep_features" in {task.step for task in ours.tasks}
    trained_anew = planned("ours", {"ours": "b" * 64})
    found = [keys(plan, "sleep") for plan in (plain, ours, trained_anew)]
    assert len({next(iter(of_plan.values())) for of_plan in found}) == 3
    assert keys(ours, "sleep_features") == keys(trained_anew, "sleep_features")
    with pytest.raises(BadParameters, match="there is no model 'theirs'"):
        planned("theirs", {"ours": "a" * 64})
