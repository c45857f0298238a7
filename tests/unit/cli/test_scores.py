"""wakeful scores convert, compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.cli.score_reading import Kind
from wakeful.io.scores import FORMATS
from wakeful.model.errors import BadParameters, BadScores, WakefulError

SIRENIA = "Epoch #,Start Time,End Time,Score #, Score\n" + "".join(
    f"{i + 1},01/02/2019 09:00:{10 * i:02d},01/02/2019 09:00:{10 * i + 10:02d},{n},{label}\n"
    for i, (n, label) in enumerate(
        [(1, "Wake"), (1, "Wake"), (2, "Non REM"), (130, "Non REM X"), (3, "REM")]
    )
)


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["scores", *map(str, words)], catch_exceptions=True)
    if isinstance(done.exception, WakefulError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "GS.txt"
    path.write_text(SIRENIA, encoding="utf-8")
    return path


def test_every_format_can_be_named() -> None:
    assert [kind.value for kind in Kind] == list(FORMATS)


def test_convert(scores: Path, tmp_path: Path) -> None:
    said = run("convert", scores, tmp_path / "out.csv")
    assert "5 epochs of 10 s" in said.replace("\n", " ")
    assert "note: 1 stretches marked as artefacts keep their states" in said.replace("\n", " ")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[:2] == ["start_s,stop_s,state", "0,10,awake"]
    assert lines[-1] == "40,50,REM"


def test_convert_to_another_epoch_length_and_clock(scores: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    found = json.loads(
        run(
            *("convert", scores, out, "--resample", 4, "--start", "2019-01-02 08:59:58"),
            *("--artefacts", "unclassified", "--json"),
        )
    )
    assert found["epoch_s"] == 4.0
    assert found["format"] == "sirenia"
    states = [line.split(",")[2] for line in out.read_text().splitlines()[1:]]
    # From 2 s on; the first epoch is only half scored.
    assert out.read_text().splitlines()[1].startswith("4,8,")
    assert (
        states
        == ["awake"] * 4 + ["unclassified"] + ["NREM"] * 2 + ["unclassified"] * 3 + ["REM"] * 2
    )


def test_the_way_there_and_back(scores: Path, tmp_path: Path) -> None:
    run("convert", scores, tmp_path / "a.edf")
    run("convert", tmp_path / "a.edf", tmp_path / "b.txt", "--to", "sirenia", "--epoch", 10)
    back = (tmp_path / "b.txt").read_text()
    assert back.replace("\r", "") == SIRENIA.replace("130,Non REM X", "2,Non REM")


def test_what_it_does_not_know_it_asks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("start_s,state\n0,W\n4,zz\n8,zz\n12,W\n", encoding="utf-8")
    with pytest.raises(BadScores, match=r"'zz' \(line 3, 2 in all\)"):
        run("convert", path, tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()
    run("convert", path, tmp_path / "b.csv", "--labels", "zz=NREM")
    assert (tmp_path / "b.csv").read_text().count("NREM") == 2


def test_all_of_it_before_the_session(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(BadScores, match="no epoch lies after"):
        run("convert", scores, tmp_path / "a.csv", "--offset", -1000)


def test_compare(scores: Path, tmp_path: Path) -> None:
    run("convert", scores, tmp_path / "NG.csv")
    other = tmp_path / "NG.csv"
    other.write_text(other.read_text().replace("40,50,REM", "40,50,NREM"), encoding="utf-8")
    said = run("compare", scores, other)
    assert "GS" in said
    assert "NG has no clock time" not in said
    assert "NG.csv has no clock time" in said.replace("\n", " ")
    found = json.loads(run("compare", scores, other, "--json", "--out", tmp_path / "report"))
    assert found["agreement"][0]["n_epochs"] == 5
    assert found["agreement"][0]["accuracy"] == 0.8
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == sorted(found["files"])
    assert (tmp_path / "report" / "scorers.png").read_bytes()[:4] == b"\x89PNG"


def test_files_with_a_clock_are_laid_beside_each_other(scores: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.txt"
    lines = SIRENIA.splitlines(keepends=True)
    late.write_text(lines[0] + "".join(lines[3:]), encoding="utf-8")
    found = json.loads(run("compare", scores, late, "--json"))
    assert (found["agreement"][0]["n_epochs"], found["agreement"][0]["kappa"]) == (3, 1.0)


def test_several_animals(scores: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "subject,scorer,file\n" + "".join(f"{m},{s},GS.txt\n" for m in "12" for s in "abc"),
        encoding="utf-8",
    )
    said = run("compare", "--table", table, "--out", tmp_path / "report")
    assert "kappa over 6 pairs: mean 1.000" in said
    assert (tmp_path / "report" / "2_scorers.png").exists()
    table.write_text("subject,scorer,file\n1,a,GS.txt\n1,a,GS.txt\n", encoding="utf-8")
    with pytest.raises(BadScores, match="line 3: a scored 1 before"):
        run("compare", "--table", table)
    table.write_text("subject,file\n1,GS.txt\n", encoding="utf-8")
    with pytest.raises(BadScores, match="scorer is missing"):
        run("compare", "--table", table)


def test_what_compare_needs(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(BadParameters, match="either files"):
        run("compare")
    with pytest.raises(BadParameters, match="twice"):
        run("compare", scores, scores)
    copy = tmp_path / "b.txt"
    copy.write_bytes(scores.read_bytes())
    with pytest.raises(BadParameters, match="give --start and --zone"):
        run("compare", scores, copy, "--out", tmp_path / "r", "--lights", "07:00-19:00")
    clock = ("--start", "2019-01-02 09:00:00", "--zone", "America/Chicago")
    with pytest.raises(BadParameters, match="07:00-19:00"):
        run("compare", scores, copy, "--out", tmp_path / "r", *clock, "--lights", "day")
    with pytest.raises(BadParameters, match="Nowhere"):
        run("compare", scores, copy, "--out", tmp_path / "r", *clock[:2], "--zone", "Nowhere")
    run("compare", scores, copy, "--out", tmp_path / "r", *clock, "--lights", "7:00-19:00")


def test_statistics(scores: Path, tmp_path: Path) -> None:
    seizures = tmp_path / "seizures.csv"
    seizures.write_text("start_s,stop_s,kind\n25,28,ictal\n", encoding="utf-8")
    out = tmp_path / "bouts"
    clock = ("--zone", "America/Chicago", "--lights", "07:00-19:00")
    found = json.loads(
        run(
            *("statistics", scores, out, "--ictal", seizures, "--json"),
            *("--start", "2019-01-02 09:00:00", *clock),
        )
    )
    assert found["minutes"]["NREM"] == pytest.approx(10 / 60)
    assert found["ictal_min"] == pytest.approx(10 / 60)
    assert sorted(p.name for p in out.iterdir()) == found["files"]
    lines = (out / "bouts.csv").read_text().splitlines()
    assert lines[1:] == ["awake,0,20,no,no", "NREM,30,10,no,yes", "REM,40,10,yes,no"]
    said = run("statistics", scores, out)
    assert "whole" in said
    assert "light" not in said
    with pytest.raises(BadScores, match="no epoch lies after"):
        run("statistics", scores, out, "--offset", -1000)


def test_scores_as_nwb_are_read_by_pynwb_and_by_us(scores: Path, tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO

    with pytest.raises(BadScores, match="must say its time zone"):
        run("convert", scores, tmp_path / "a.nwb")
    with pytest.raises(BadScores, match="no time zone 'Nowhere'"):
        run("convert", scores, tmp_path / "a.nwb", "--zone", "Nowhere")
    run("convert", scores, tmp_path / "a.nwb", "--zone", "America/Chicago")
    with NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        nwb = io.read()
        assert nwb.session_start_time.isoformat() == "2019-01-02T09:00:00-06:00"
        bouts = nwb.processing["behavior"]["sleep_states"].to_dataframe()
        epochs = nwb.processing["behavior"]["sleep_epochs"].to_dataframe()
    assert bouts.values.tolist() == [[0, 20, "awake"], [20, 40, "NREM"], [40, 50, "REM"]]
    assert epochs.state.tolist() == ["awake", "awake", "NREM", "NREM", "REM"]
    assert "confidence" not in epochs
    back = json.loads(run("convert", tmp_path / "a.nwb", tmp_path / "b.csv", "--json"))
    assert (back["format"], back["epoch_s"]) == ("nwb", 10.0)
    run("convert", scores, tmp_path / "c.csv")
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "c.csv").read_text()


def test_what_a_trained_scorer_wrote_becomes_nwb(tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO

    head = "epoch,start_s,state,raw_state,provisional_state,confidence,doubt,p_awake,p_NREM"
    rows = ["0,0.0,awake,awake,awake,0.9,,0.9,0.1", "1,4.0,no data,no data,no data,,,,"]
    rows += ["2,8.0,NREM,awake,NREM,0.8,,0.2,0.8", "3,12.0,unclassified,NREM,NREM,0.5,,0.5,0.5"]
    (tmp_path / "scored.csv").write_text("\n".join([head, *rows]) + "\n")
    clock = ("--start", "2026-03-02 09:15:00", "--zone", "Europe/Berlin")
    run("convert", tmp_path / "scored.csv", tmp_path / "s.nwb", "--epoch", 4, *clock)
    with NWBHDF5IO(str(tmp_path / "s.nwb"), "r") as io:
        bouts = io.read().processing["behavior"]["sleep_states"].to_dataframe()
    assert bouts.values.tolist() == [[0, 4, "awake"], [8, 12, "NREM"], [12, 16, "unclassified"]]
