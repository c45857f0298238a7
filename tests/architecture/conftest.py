"""What the checks of the house look at."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {
    ".git",
    ".hypothesis",
    ".import_linter_cache",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    ".venv-bench",
    "__pycache__",
    "build",
    "demo",
    "dist",
    "site",
}


def walk_files(folder: Path) -> Iterator[Path]:
    """The files of the checkout, what is made by tools left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in NOT_OURS)
        yield from (Path(parent) / name for name in sorted(names))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def our_files() -> list[Path]:
    """Every file of the checkout that can be read as text."""
    files = []
    for path in walk_files(ROOT):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        files.append(path)
    return files


@pytest.fixture(scope="session")
def our_sources() -> list[Path]:
    return [path for path in walk_files(ROOT / "src" / "wakeful") if path.suffix == ".py"]


@pytest.fixture(scope="session")
def docs_hooks() -> ModuleType:
    """The module that generates pages when the documentation is built."""
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
