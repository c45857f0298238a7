"""The command line, as a person or a script calls it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.model.errors import BadChannels, BadConfig, BadRow, NoLibrary, UnknownResult

runner = CliRunner()


def call(*arguments: str):
    result = runner.invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "lib"
    call("init", str(root), "--time-zone", "Europe/Berlin", "--block-s", "60")
    return root


def test_every_command_has_help_that_says_what_it_does():
    top = call("--help").output
    for name in (
        "demo",
        "init",
        "add",
        "run",
        "status",
        "steps",
        "inspect",
        "simulate",
        "report",
        "verify",
        "doctor",
    ):
        assert name in top
        assert len(call(name, "--help").output) > 200
    assert "wakeful 0." in call("--version").output


def test_help_shows_what_is_to_be_typed_letter_for_letter():
    """Text between colons must not be taken for the name of a picture."""
    text = call("simulate", "--help").output
    assert "CSC3:flat:400:700" in text
    assert not [letter for letter in text if ord(letter) > 0x2BFF]


def test_init_refuses_bad_options_all_at_once(tmp_path):
    with pytest.raises(BadConfig) as caught:
        call("init", str(tmp_path / "x"), "--time-zone", "Berlin", "--mains-hz", "55")
    assert "--time-zone" in str(caught.value)
    assert "--mains-hz" in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_row_is_added_and_its_errors_are_named(library, tmp_path):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "a.edf").write_bytes(b"x")
    out = call("add", str(tmp_path / "rec"), "--subject", "M1", "-l", str(library)).output
    assert "row 1 added" in out
    assert f"next: wakeful run --once --library {library}" in out.replace("\n", "")
    with pytest.raises(BadRow, match=r"row 2: subject.*analyses"):
        call("add", str(tmp_path), "--subject", "../x", "--analyses", "nope", "-l", str(library))
    rows = json.loads(call("status", "--json", "-l", str(library)).output)["rows"]
    assert [row["subject"] for row in rows] == ["M1", "../x"]
    assert rows[0]["recording"] == str(tmp_path / "rec")


def test_another_animal_s_channels_file_is_noticed_before_anything_is_copied(library, tmp_path):
    folder = tmp_path / "rec"
    folder.mkdir()
    (folder / "a.edf").write_bytes(b"x")
    (folder / "channels.csv").write_text("channel,subject\nEEG,M1\n")
    assert "row 1 added" in call("add", str(folder), "--subject", "M1", "-l", str(library)).output
    with pytest.raises(BadChannels, match=r"no channel belongs to M2.*knows M1"):
        call("add", str(folder), "--subject", "M2", "-l", str(library))
    (folder / "channels.csv").write_text("channel,subject\nEEG,\n")
    call("add", str(folder), "--subject", "M3", "-l", str(library))


def test_status_of_an_empty_sheet(library):
    assert "the sheet is empty" in call("status", "-l", str(library)).output


def test_steps_are_described_for_people_and_programs():
    text = call("steps").output
    assert "raw recording" in text
    tree = json.loads(call("steps", "--json").output)
    assert tree["convert"]["per"] == "block"
    for name, step in tree.items():
        for parameter in step["params"]:
            assert parameter["source"], f"{name}.{parameter['name']} has no source"
    markdown = call("steps", "--markdown").output
    assert all(f"## {name}" in markdown for name in tree)


def test_simulate_and_inspect(tmp_path):
    out = tmp_path / "mouse"
    call("simulate", str(out), "--minutes", "1", "--rate-hz", "2000", "--natural", "--gap", "20:25")
    assert (out / "truth.json").is_file()
    text = call("inspect", str(out)).output
    assert "gap of 5.000 s at 20.0000 s" in text
    assert "channels.csv is there: a row takes regions" in text
    assert "left aside: truth.json" in text
    tree = json.loads(call("inspect", str(out), "--json").output)
    assert tree["format"] == "neuralynx"
    assert len(tree["streams"][0]["channels"]) == 9


def test_doctor_ends_with_one_where_something_is_bad(library, tmp_path):
    assert call("doctor", "-l", str(library)).exit_code == 0
    result = call("doctor", "--json", "-l", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert any(f["verdict"] == "bad" for f in json.loads(result.output))


def test_verify_and_report_name_what_they_do_not_find(library):
    with pytest.raises(UnknownResult, match="0 results"):
        call("verify", "abcdef123456", "-l", str(library))
    with pytest.raises(UnknownResult, match="no rows have a session"):
        call("report", "nothing", "-l", str(library))
    assert "no raw data" in call("verify", "--raw", "-l", str(library)).output


def test_no_library_is_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoLibrary, match="wakeful init"):
        call("status")


def test_errors_reach_a_person_as_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "wakeful", "inspect", str(tmp_path / "no")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("wakeful: ")


def test_rows_go_out_to_csv_and_come_back(library, tmp_path):
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "a.edf").write_bytes(b"x")
    table = tmp_path / "rows.csv"
    table.write_text(
        f"Subject;Recording;Run;Colour\nM1;{tmp_path / 'rec'};yes;red\nM2;{tmp_path / 'rec'};;\n"
    )
    out = call("sheet", "import", str(table), "-l", str(library)).output
    assert "2 rows added" in out
    assert "Colour" in out
    call("sheet", "edit", "2", "notes", "=SUM(1)", "-l", str(library))
    call("sheet", "delete", "1", "-l", str(library))
    back = tmp_path / "back.csv"
    call("sheet", "export", str(back), "-l", str(library))
    text = back.read_text(encoding="utf-8-sig")
    assert "M1" not in text
    assert "'=SUM(1)" in text  # no spreadsheet takes it for a formula
    bad = tmp_path / "bad.csv"
    bad.write_text("subject,recording\n../x,nowhere\nM3,\n")
    with pytest.raises(BadRow) as caught:
        call("sheet", "import", str(bad), "-l", str(library))
    assert "2 bad lines" in str(caught.value)
    assert "recording" in call("sheet", "columns").output


def test_only_the_module_of_the_command_is_loaded() -> None:
    code = (
        "import sys; from wakeful.cli import main; sys.argv[1:] = ['--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('numba', 'sqlalchemy', 'scipy', 'wakeful.service')\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    unknown = runner.invoke(app, ["nonsense"])
    assert unknown.exit_code == 2
    assert "No such command" in unknown.output
