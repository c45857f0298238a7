"""The writers of tiny acquisition files, shared with other folders of tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def files() -> ModuleType:
    """The module tests/acquisition_files.py."""
    path = next(p for p in Path(__file__).parents if p.name == "tests") / "acquisition_files.py"
    spec = importlib.util.spec_from_file_location("acquisition_files", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
