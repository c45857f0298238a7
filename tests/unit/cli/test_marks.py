"""Marks from the command line, before a recording was ever run."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.model.errors import BadMark, BadRow
from wakeful.simulate import RecordingPlan, SubjectPlan
from wakeful.simulate.neuralynx import write_neuralynx

runner = CliRunner()


def call(*arguments: str):
    result = runner.invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    plan = RecordingPlan(
        subject=SubjectPlan(identifier="M1", seed=3), duration_s=30.0, rate_hz=1000
    )
    write_neuralynx(plan, root / "rec")
    call("init", str(root / "lib"), "--time-zone", "UTC")
    call("add", str(root / "rec"), "--subject", "M1", "-l", str(root / "lib"))
    return root


def test_a_mark_is_set_listed_carried_over_and_taken_back(lab, monkeypatch):
    library = str(lab / "lib")
    out = call(
        *("marks", "add", "1", "--channel", "CSC2", "--from", "07:00:10", "--to", "20"),
        *("--reason", "cable", "--author", "ann", "-l", library),
    ).output
    assert "CSC2 bad from 07:00:10 to 07:00:20 (10.0 to 20.0 s)" in " ".join(out.split())
    (found,) = json.loads(call("marks", "list", "1", "--json", "-l", library).output)
    assert (found["start_s"], found["stop_s"], found["author"]) == (10.0, 20.0, "ann")
    assert found["recording"] == str(lab / "rec")
    call("marks", "export", str(lab / "m.csv"), "-l", library)
    again = call("marks", "import", str(lab / "m.csv"), "-l", library).output
    assert "0 marks added, 1 were there already" in again
    assert "cable" in call("marks", "list", "-l", library).output
    # On a narrow screen, too, words stay whole.
    monkeypatch.setattr("wakeful.cli.output.console.width", 80)
    narrow = call("marks", "list", "-l", library).output
    for word in ("subject", "channels", "verdict", "07:00:10", "07:00:20"):
        assert word in narrow
    call("marks", "delete", str(found["mark"]), "-l", library)
    assert "no channel is marked" in call("marks", "list", "-l", library).output


def test_what_the_recording_does_not_have_is_refused(lab):
    library = str(lab / "lib")
    with pytest.raises(BadMark, match="no channel CSC99"):
        call("marks", "add", "1", "--channel", "CSC99", "--reason", "x", "-l", library)
    with pytest.raises(BadRow, match="there is no such row"):
        call("marks", "add", "7", "--reason", "x", "-l", library)


def test_a_spoilt_recording_can_be_simulated(tmp_path):
    from wakeful.model.errors import BadParameters

    call(
        *("simulate", str(tmp_path / "s"), "--minutes", "0.5", "--rate-hz", "1000"),
        *("--fault", "CSC2:copy:1:end:CSC1", "--fault", "CSC3:flat"),
    )
    told = json.loads((tmp_path / "s" / "truth.json").read_text())["plan"]["faults"]
    assert [(f["channel"], f["kind"], f["start_s"], f["stop_s"], f["of"]) for f in told] == [
        ("CSC2", "copy", 1.0, None, "CSC1"),
        ("CSC3", "flat", 0.0, None, ""),
    ]
    with pytest.raises(BadParameters, match="is not a fault"):
        call("simulate", str(tmp_path / "t"), "--minutes", "0.5", "--fault", "CSC2:broken")
