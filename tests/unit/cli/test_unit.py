"""The unit of systemd."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.config import Config, write_library


@pytest.mark.parametrize("name", ["night-shift", "night shift 100%", 'a "quoted" $HOME'])
def test_the_unit_can_be_read_and_names_library_and_python(tmp_path, name):
    write_library(tmp_path / name, Config())
    words = ["service", "install", "--print", "--library", str(tmp_path / name)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(result.output)
    start = unit["Service"]["ExecStart"]
    assert start.startswith(f'"{sys.executable}" -m wakeful run')
    assert start.count("%") == 2 * name.count("%")
    assert unit["Service"]["KillMode"] == "process"
    assert unit["Service"]["SuccessExitStatus"] == "130"
    if analyze := shutil.which("systemd-analyze"):
        path = tmp_path / "x.service"
        path.write_text(result.output)
        done = subprocess.run([analyze, "verify", "--user", path], capture_output=True, check=False)
        assert b"Unknown" not in done.stderr


def test_without_systemd_that_is_said(tmp_path, monkeypatch):
    write_library(tmp_path / "l", Config())
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(app, ["service", "install", "--library", str(tmp_path / "l")])
    assert result.exit_code != 0
    assert "no systemd" in str(result.exception)


def test_it_is_written_where_systemd_looks_and_nothing_is_replaced_unasked(tmp_path, monkeypatch):
    write_library(tmp_path / "l", Config())
    (tmp_path / "systemctl").write_text("")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["service", "install", "--library", str(tmp_path / "l")]
    for _ in range(2):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    path = tmp_path / ".config/systemd/user/wakeful.service"
    assert "systemctl --user enable --now wakeful" in result.output
    path.write_text("mine")
    result = CliRunner().invoke(app, words)
    assert "another unit" in str(result.exception)
    assert path.read_text() == "mine"
    assert CliRunner().invoke(app, [*words, "--overwrite"]).exit_code == 0
    assert "KillMode=process" in path.read_text()
