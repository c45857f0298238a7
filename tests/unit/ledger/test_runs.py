"""Runs and jobs: intent before effect, ends that stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wakeful.ledger import (
    DuplicateJob,
    JobState,
    Ledger,
    RowCells,
    RunState,
    UnknownRecord,
    canonical_json,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "w.db") as ledger:
        ledger.add_rows([RowCells(subject="M014"), RowCells(subject="M015")], actor="anna")
        yield ledger


def test_a_request_is_kept_in_canonical_form(ledger: Ledger) -> None:
    one = ledger.add_run(1, '{"b": [1, 2], "a": "ü"}', "k")
    two = ledger.add_run(2, '{"a":"\\u00fc",\n"b":[1,2]}', "k")
    assert one.request == two.request == '{"a":"ü","b":[1,2]}'
    assert [run.id for run in ledger.runs(request_key="k")] == [one.id, two.id]
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"rate_hz": float("nan")})
    with pytest.raises(UnknownRecord, match="row 9"):
        ledger.add_run(9, "{}", "k")


def test_the_life_of_a_run(ledger: Ledger) -> None:
    run = ledger.add_run(1, "{}", "k")
    assert (run.state, run.attempts, run.started) == (RunState.QUEUED, 0, None)
    run = ledger.begin_run(run.id, RunState.TRANSFERRING)
    assert (run.state, run.attempts) == (RunState.TRANSFERRING, 1)
    assert run.started is not None
    run = ledger.set_run(run.id, RunState.RUNNING, "hour 3 of 24")
    assert ledger.set_run(run.id, RunState.PUBLISHING).message == "hour 3 of 24"
    run = ledger.set_run(run.id, RunState.FAILED, "the disk is full")
    assert run.has_ended
    assert run.finished is not None
    run = ledger.begin_run(run.id)
    assert (run.state, run.attempts, run.message) == (RunState.RUNNING, 2, "")
    assert run.finished is None


def test_a_cancellation_is_never_overwritten(ledger: Ledger) -> None:
    run = ledger.begin_run(ledger.add_run(1, "{}", "k").id)
    ledger.set_run(run.id, RunState.CANCELLED, "by ben", actor="ben")
    after = ledger.set_run(run.id, RunState.DONE, "all there")
    assert (after.state, after.message) == (RunState.CANCELLED, "by ben")
    (entry,) = ledger.audit(f"run {run.id}")
    assert (entry.actor, entry.before, entry.after) == (
        "ben",
        '{"state": "running"}',
        '{"state": "cancelled"}',
    )


def test_the_newest_run_of_each_row(ledger: Ledger) -> None:
    ledger.add_run(1, "{}", "old")
    other = ledger.add_run(2, "{}", "other")
    new = ledger.add_run(1, "{}", "new")
    assert ledger.latest_runs() == {1: new, 2: other}
    assert [r.request_key for r in ledger.runs(row_id=1)] == ["old", "new"]
    ledger.set_run(new.id, RunState.DONE)
    assert {r.request_key for r in ledger.runs(states=[RunState.QUEUED])} == {"old", "other"}


def test_the_life_of_a_job(ledger: Ledger) -> None:
    run = ledger.add_run(1, "{}", "k")
    job = ledger.record_job("wk.abc.1", run.id, ["k1", "k2"])
    assert (job.state, job.keys, job.pid) == (JobState.INTENDED, ("k1", "k2"), None)
    assert ledger.open_jobs() == (job,)
    job = ledger.start_job(job.job_id, pid=4242, pid_start_time=1765432109.87)
    assert (job.state, job.pid, job.pid_start_time) == (JobState.RUNNING, 4242, 1765432109.87)
    assert [j.job_id for j in ledger.open_jobs()] == ["wk.abc.1"]
    job = ledger.end_job(job.job_id, JobState.FAILED, "killed")
    assert job.error == "killed"
    assert job.finished is not None
    assert ledger.open_jobs() == ()
    assert ledger.jobs(run_id=run.id) == (job,)


def test_the_first_end_of_a_job_stays(ledger: Ledger) -> None:
    run = ledger.add_run(1, "{}", "k")
    ledger.record_job("j", run.id, [])
    done = ledger.end_job("j", JobState.DONE)
    assert ledger.start_job("j", pid=1) == done
    assert ledger.end_job("j", JobState.FAILED, "late") == done
    with pytest.raises(ValueError, match="not an end"):
        ledger.end_job("j", JobState.RUNNING)


def test_no_two_attempts_share_a_name(ledger: Ledger) -> None:
    run = ledger.add_run(1, "{}", "k")
    first = ledger.record_job("j", run.id, ["k1"])
    with pytest.raises(DuplicateJob, match="job j: a job of this name"):
        ledger.record_job("j", run.id, ["k2"], attempt=2)
    assert ledger.jobs() == (first,)
    with pytest.raises(UnknownRecord, match="run 9"):
        ledger.record_job("k", 9, [])
    with pytest.raises(UnknownRecord, match="job nope"):
        ledger.start_job("nope")
