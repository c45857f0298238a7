"""What `wakeful serve` puts together, and what it refuses before it serves anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wakeful.cli.serve import Contexts, serve
from wakeful.config import CONFIG_NAME, Config, write_library
from wakeful.model.errors import BadConfig, NoLibrary


def test_parameter_sets_that_are_added_meanwhile_can_be_chosen(tmp_path: Path) -> None:
    library = write_library(tmp_path / "lab", Config())
    contexts = Contexts(library)
    assert tuple(contexts().params) == ("default",)
    path = library.root / CONFIG_NAME
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n[parameters.narrow.band_power]\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert tuple(contexts().params) == ("default", "narrow")
    # Half an edit changes nothing; the whole one does.
    path.write_text("[[[", encoding="utf-8")
    os.utime(path, ns=(2, 2))
    assert tuple(contexts().params) == ("default", "narrow")
    path.write_text(before, encoding="utf-8")
    os.utime(path, ns=(3, 3))
    assert tuple(contexts().params) == ("default",)


def test_nobody_else_is_let_in_without_a_login(tmp_path: Path) -> None:
    library = write_library(tmp_path / "lab", Config())
    with pytest.raises(BadConfig, match=r"open to everybody who can reach 0\.0\.0\.0"):
        serve(port=0, address="0.0.0.0", library=library.root)
    with pytest.raises(NoLibrary):
        serve(port=0, address="0.0.0.0", library=tmp_path)
