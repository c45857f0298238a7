"""Groups are hidden until somebody says why they are to be known; that is logged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wakeful.animal_config import Animal
from wakeful.cli import app
from wakeful.config import CONFIG_NAME, Config, open_library, write_library
from wakeful.ledger import Ledger
from wakeful.model.errors import BadParameters
from wakeful.service.blinding import hide_again, history, is_blinded, unblind
from wakeful.service.targets import conditions_of


@pytest.fixture
def library(tmp_path: Path):
    write_library(tmp_path / "library", Config())
    path = tmp_path / "library" / CONFIG_NAME
    path.write_text(
        path.read_text()
        + '\n[blinding]\nhide_groups = true\n[subjects.M1]\ngenotype = "Scn1a+/-"\n'
        + 'lights = "06:00-18:00; from 2026-03-02 09:00-21:00"\nmains_hz = 60\n'
        + 'excluded = "headcap lost"\n'
    )
    return open_library(tmp_path / "library")


def test_unblinding_needs_a_reason_and_is_logged(library):
    with Ledger.open(library.database) as ledger:
        assert is_blinded(library, ledger)
        with pytest.raises(BadParameters, match="say why with --reason"):
            unblind(library, ledger, actor="anna", reason=" ")
        unblind(library, ledger, actor="anna", reason="scoring is complete")
        assert not is_blinded(library, ledger)
        with pytest.raises(BadParameters, match="nothing is hidden"):
            unblind(library, ledger, actor="anna", reason="scoring is complete")
        hide_again(library, ledger, actor="ben")
        assert is_blinded(library, ledger)
        with pytest.raises(BadParameters, match="nothing to hide again"):
            hide_again(library, ledger, actor="ben")
        entries = history(ledger)
    assert [(e.actor, e.action) for e in entries] == [("anna", "unblind"), ("ben", "hide again")]
    assert "scoring is complete" in (entries[0].after or "")


def test_the_command_says_who_did_it_and_why(library):
    def call(*words: str) -> str:
        done = CliRunner().invoke(app, ["unblind", *words, "--library", str(library.root)])
        return f"{done.output} {done.exception or ''}"

    assert "say why with --reason" in call()
    assert "groups are shown now" in call("--reason", "cohort 3 is scored")
    told = call("--history")
    assert "unblind (cohort 3 is scored)" in told
    assert "groups are hidden now" in call("--hide-again")


def test_a_name_that_tells_is_found():
    animal = Animal(genotype="Scn1a+/-", drug="CNO")
    assert animal.tells_group("M1_scn1a") == "genotype"
    assert animal.tells_group("M1", "day2 cno") == "drug"
    assert animal.tells_group("M1", "day2 saline") == ""
    assert Animal(genotype="KO").tells_group("M1", "day1") == ""


def test_light_mains_and_exclusion_of_an_animal_count(library):
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    light, mains_hz, notes = conditions_of("M1", library, start, 2 * 86_400)
    assert light is not None
    assert (light.on.hour, mains_hz) == (6, 60.0)
    assert notes[0] == "M1 is excluded: headcap lost"
    assert "changes on 2026-03-02" in notes[1]
    light, _, notes = conditions_of("M1", library, datetime(2026, 3, 3, tzinfo=UTC), 60.0)
    assert light is not None
    assert (light.on.hour, len(notes)) == (9, 1)
    assert conditions_of("M2", library, start, 60.0) == (None, 50.0, ())
