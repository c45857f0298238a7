"""A page that is being served, for tests that ask it without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.page_server import Served, serve_page


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One page for all tests that leave it as it is."""
    with serve_page(tmp_path_factory.mktemp("standing")) as served:
        yield served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve_page(tmp_path) as served:
        yield served
