"""A session that can be handed on."""

from __future__ import annotations

import pytest
from tests.whole_session import make_contents

from wakeful.publish.contents import SessionContents


@pytest.fixture(scope="session")
def contents() -> SessionContents:
    return make_contents()
