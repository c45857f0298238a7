"""What wakeful.toml may say of log, metrics and notices."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wakeful.oversight_config import Notices, Service


def test_addresses_of_notices_are_never_shown():
    notices = Notices(urls=("mailto://somebody:hunter22@example.org",))
    assert "hunter22" not in repr(notices)
    assert "hunter22" not in notices.model_dump_json()
    assert notices.urls[0].get_secret_value().startswith("mailto://somebody:hunter22")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Service, {"metrics_port": 70_000}),
        (Service, {"log_mb": 0}),
        (Service, {"keep_free_gb": -1}),
        (Service, {"terminal": "loud"}),
        (Notices, {"stalled_minutes": -1}),
        (Notices, {"digest_at": "breakfast"}),
        (Notices, {"url": ("json://localhost",)}),
    ],
)
def test_what_makes_no_sense_is_refused(kind, fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        kind(**fields)
