"""The files around the code agree with each other."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _read_pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith(("#", "-r "))]
    odd = [pin for pin in pins if not re.fullmatch(r"[a-z0-9][a-z0-9-]*==[\w.!+]+", pin)]
    assert odd == [], "a pin is a name and a version, nothing else"
    versions = dict(pin.split("==") for pin in pins)
    assert list(versions) == sorted(versions)
    return versions


def test_the_lock_pins_what_the_project_asks_for(root: Path, project: dict[str, Any]) -> None:
    runtime = _read_pins(root / "requirements.lock")
    dev = _read_pins(root / "requirements-dev.lock")
    assert set(runtime) & set(dev) == set()
    problems = []
    for wanted, pins in (
        (project["dependencies"], runtime),
        (project["optional-dependencies"]["dev"], dev),
    ):
        for requirement in map(Requirement, wanted):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                problems.append(f"{requirement} is pinned to {version}")
    assert problems == []


def test_the_changelog_has_this_version(root: Path, project: dict[str, Any]) -> None:
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(project['version'])}\]", changelog, re.MULTILINE)


def test_the_citation_fits_the_project(root: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [a["name"] for a in citation["authors"]] == [a["name"] for a in project["authors"]]


def test_the_readme_shows_both_commands(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_ci_runs_what_everybody_runs(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make test\b", script.read_text(encoding="utf-8"), re.MULTILINE)
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_make_without_a_target_says_what_there_is(root: Path) -> None:
    done = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True)
    offered = re.findall(r"^make ([a-z-]+)", done.stdout, re.MULTILINE)
    assert offered == ["demo", "test", "test-all", "check", "docs", "bench", "clean"]
